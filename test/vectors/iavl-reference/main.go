// The load of test/support/state-load.ts on Go's IAVL: the same keys and values, in the same order, in the same versions, on
// goleveldb with each version synced. Prints roots that ours must equal, and how fast it was here.
//
//	go run . KEYS VERSIONS [CACHED_NODES]
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"log"
	"os"
	"sort"
	"strconv"
	"syscall"
	"time"

	sdklog "cosmossdk.io/log"
	"github.com/cosmos/iavl"
	idb "github.com/cosmos/iavl/db"
)

const (
	updatesPerVersion = 1000
	insertsPerVersion = 20_000
	warmVersions      = 5
	valueBytes        = 100
	// What the Cosmos SDK sets when nobody says otherwise.
	defaultCachedNodes = 781_250
)

type write struct{ key, value []byte }

func digest(kind byte, a, b uint32) []byte {
	message := make([]byte, 9)
	message[0] = kind
	binary.BigEndian.PutUint32(message[1:], a)
	binary.BigEndian.PutUint32(message[5:], b)
	sum := sha256.Sum256(message)
	return sum[:]
}

func valueAt(version, n uint32) []byte {
	value := make([]byte, valueBytes)
	copy(value, digest(1, version, n))
	return value
}

// The net changes of a version in key order, as the chain applies them.
func apply(tree *iavl.MutableTree, writes []write) []byte {
	last := make(map[string][]byte, len(writes))
	for _, w := range writes {
		last[string(w.key)] = w.value
	}
	net := make([]write, 0, len(last))
	for key, value := range last {
		net = append(net, write{[]byte(key), value})
	}
	sort.Slice(net, func(a, b int) bool { return bytes.Compare(net[a].key, net[b].key) < 0 })
	for _, w := range net {
		if _, err := tree.Set(w.key, w.value); err != nil {
			log.Fatal(err)
		}
	}
	root, _, err := tree.SaveVersion()
	if err != nil {
		log.Fatal(err)
	}
	return root
}

func cpu() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		log.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func argument(at, otherwise int) int {
	if at >= len(os.Args) {
		return otherwise
	}
	value, err := strconv.Atoi(os.Args[at])
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func main() {
	keys, versions := argument(1, 300_000), argument(2, 45)
	folder, err := os.MkdirTemp("", "iavl-reference-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	db, err := idb.NewDB("state", "goleveldb", folder)
	if err != nil {
		log.Fatal(err)
	}
	// Without the fast nodes that the SDK adds for reads: they would only cost here.
	tree := iavl.NewMutableTree(db, argument(3, defaultCachedNodes), true, sdklog.NewNopLogger(), iavl.SyncOption(true))
	var writes []write
	for n := 0; n < keys; n++ {
		writes = append(writes, write{digest(0, uint32(n), 0), valueAt(0, uint32(n))})
		if len(writes) == insertsPerVersion {
			apply(tree, writes)
			writes = nil
		}
	}
	fmt.Printf("keys %d, root after the inserts %x\n", keys, tree.Hash())
	random := uint32(1)
	var elapsed, used time.Duration
	var root []byte
	for version := 1; version <= versions; version++ {
		writes = writes[:0]
		for n := 0; n < updatesPerVersion; n++ {
			random = random*1_103_515_245 + 12_345
			key := uint32(uint64(random) * uint64(keys) >> 32)
			writes = append(writes, write{digest(0, key, 0), valueAt(uint32(version), uint32(n))})
		}
		began, cpuBegan := time.Now(), cpu()
		root = apply(tree, writes)
		if version > warmVersions {
			elapsed += time.Since(began)
			used += cpu() - cpuBegan
		}
	}
	fmt.Printf("versions %d, root at the end %x\n", versions, root)
	if measured := float64((versions - warmVersions) * updatesPerVersion); measured > 0 {
		fmt.Printf("%.0f updates/s, %.0f per processor second\n", measured/elapsed.Seconds(), measured/used.Seconds())
	}
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	fmt.Printf("resident at most %d MiB\n", usage.Maxrss>>10)
}
