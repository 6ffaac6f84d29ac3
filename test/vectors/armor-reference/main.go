// Makes and opens private keys in the ASCII armor of the Cosmos SDK, by the SDK itself: the reference for node/keyring.
//
//	go run . make <hex private key> <passphrase>   JSON with the armor by argon2 (v0.50) and the one by bcrypt (before)
//	go run . open <file> <passphrase>              the private key in hex and its algorithm
package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"

	cmtcrypto "github.com/cometbft/cometbft/crypto"

	"github.com/cosmos/cosmos-sdk/codec/legacy"
	"github.com/cosmos/cosmos-sdk/crypto"
	"github.com/cosmos/cosmos-sdk/crypto/keys/bcrypt"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	"github.com/cosmos/cosmos-sdk/crypto/xsalsa20symmetric"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// The SDK opens these and does not make them any more: made of the very parts that it opens them with.
func byBcrypt(key *secp256k1.PrivKey, passphrase string) string {
	salt := cmtcrypto.CRandBytes(16)
	stretched, err := bcrypt.GenerateFromPassword(salt, []byte(passphrase), crypto.BcryptSecurityParameter)
	check(err)
	sealed := xsalsa20symmetric.EncryptSymmetric(legacy.Cdc.MustMarshal(key), cmtcrypto.Sha256(stretched))
	header := map[string]string{"kdf": "bcrypt", "salt": fmt.Sprintf("%X", salt), "type": "secp256k1"}
	return crypto.EncodeArmor("TENDERMINT PRIVATE KEY", header, sealed)
}

func main() {
	switch os.Args[1] {
	case "make":
		secret, err := hex.DecodeString(os.Args[2])
		check(err)
		key := &secp256k1.PrivKey{Key: secret}
		bcrypted := byBcrypt(key, os.Args[3])
		opened, _, err := crypto.UnarmorDecryptPrivKey(bcrypted, os.Args[3])
		check(err)
		if !opened.Equals(key) {
			check(fmt.Errorf("the armor by bcrypt opens to another key"))
		}
		out, err := json.MarshalIndent(map[string]string{
			"private_key": os.Args[2],
			"passphrase":  os.Args[3],
			"argon2":      crypto.EncryptArmorPrivKey(key, os.Args[3], "secp256k1"),
			"bcrypt":      bcrypted,
		}, "", "  ")
		check(err)
		fmt.Println(string(out))
	case "open":
		text, err := os.ReadFile(os.Args[2])
		check(err)
		key, algorithm, err := crypto.UnarmorDecryptPrivKey(string(text), os.Args[3])
		check(err)
		fmt.Println(hex.EncodeToString(key.Bytes()), algorithm)
	}
}
