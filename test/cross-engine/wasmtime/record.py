"""Records how wasmtime ends the calls that write-modules.ts wrote.

    python3 -m venv venv && venv/bin/pip install wasmtime==50.0.1
    node test/cross-engine/wasmtime/write-modules.ts modules
    venv/bin/python test/cross-engine/wasmtime/record.py modules > test/cross-engine/wasmtime/vectors.json

Outcome, gas and trace are computed here from docs/model-abi.md, without any of the machine's own code.
"""

import hashlib
import json
import os
import sys
from importlib.metadata import version

import wasmtime

PAGE = 65536
CALL_GAS, PAGE_GAS = 400_000, 60_000
MAX_ERROR, MAX_OUTPUT = 4096, 1 << 20
DOMAIN = b"autonomy/trace/v1"
# Value types by their binary codes: bytes in the trace.
WIDTH = {0x7F: 4, 0x7E: 8, 0x7D: 4, 0x7C: 8, 0x7B: 16}
TRAPS = {2: ("trap(stack-overflow)", 2, 2), 3: ("trap(unreachable)", 2, 1)}
GUEST_ERRORS = {
    2: "error-not-utf8",
    3: "error-too-long",
    4: "result-out-of-range",
    5: "result-bad-tag",
    6: "input-out-of-range",
    7: "output-too-large",
}


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def merkle(leaves):
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01", merkle(leaves[:split]), merkle(leaves[split:]))


class Call:
    def __init__(self, engine, folder, call):
        self.call = call
        with open(os.path.join(folder, call["file"]), "rb") as file:
            self.bytes = file.read()
        self.store = wasmtime.Store(engine)
        module = wasmtime.Module(engine, self.bytes)
        self.exports = wasmtime.Instance(self.store, module, []).exports(self.store)
        self.memory = self.exports["autonomy:memory"]
        self.limit = int(call["gasLimit"])

    def size(self):
        return self.memory.data_len(self.store)

    def read(self, at, length):
        return bytes(self.memory.read(self.store, at, at + length))

    def word(self, at):
        return int.from_bytes(self.read(at, 4), "little")

    def used(self):
        return self.limit - self.exports["autonomy:gas"].value(self.store)

    def full(self):
        pages = [sha256(b"\x00", self.read(at, PAGE)) for at in range(0, self.size(), PAGE)]
        words = iter(range(2 * len(self.call["globals"])))
        word = self.exports["autonomy:global"]

        def next_word():
            return (word(self.store, next(words)) % (1 << 64)).to_bytes(8, "big")

        out = []
        for code in self.call["globals"]:
            low = next_word()
            out.append(next_word() + low if code == 0x7B else low[8 - WIDTH[code] :])
        return sha256(DOMAIN, merkle(pages), *out, self.used().to_bytes(8, "big"))

    def short(self, name, kind, code, gas):
        root = sha256(DOMAIN, bytes([kind]), code.to_bytes(4, "big"), gas.to_bytes(8, "big"))
        return self.ended(name, gas, b"", root)

    def ended(self, name, gas, output, root):
        return {
            "name": self.call["name"],
            "module": hashlib.sha256(self.bytes).hexdigest(),
            "outcome": name,
            "gasUsed": str(gas),
            "output": hashlib.sha256(output).hexdigest(),
            "traceRoot": root.hex(),
        }

    def guest_error(self, code):
        return self.short(f"guest-error({GUEST_ERRORS[code]})", 1, code, self.used())

    def result(self, area):
        if area % 4 != 0 or area + 12 > self.size():
            return self.guest_error(4)
        tag, pointer, length = self.read(area, 1)[0], self.word(area + 4), self.word(area + 8)
        if tag > 1:
            return self.guest_error(5)
        if tag == 0 and length > MAX_OUTPUT:
            return self.guest_error(7)
        if tag == 1 and length > MAX_ERROR:
            return self.guest_error(3)
        if pointer + length > self.size():
            return self.guest_error(4)
        output = self.read(pointer, length)
        if tag == 1:
            try:
                output.decode("utf-8")
            except UnicodeDecodeError:
                return self.guest_error(2)
        return self.ended("ok" if tag == 0 else "guest-error(returned-error)", self.used(), output, self.full())

    def run(self):
        left = self.limit - CALL_GAS - self.size() // PAGE * PAGE_GAS
        if left < 0:
            return self.short("out-of-gas", 3, 0, self.limit)
        self.exports["autonomy:gas"].set_value(self.store, wasmtime.Val.i64(left))
        data = bytes.fromhex(self.call["input"])
        seed = int(self.call["seed"])
        try:
            pointer = self.exports["cabi_realloc"](self.store, 0, 0, 1, len(data)) % (1 << 32)
            if pointer + len(data) > self.size():
                return self.guest_error(6)
            self.memory.write(self.store, data, pointer)
            signed = seed - (1 << 64) if seed >> 63 else seed
            return self.result(self.exports["infer"](self.store, pointer, len(data), signed) % (1 << 32))
        except wasmtime.Trap:
            why = self.exports["autonomy:trap"].value(self.store)
            if why == 1:
                return self.short("out-of-gas", 3, 0, self.limit)
            if why not in TRAPS:
                return self.short("trap(fault)", 2, 3, self.limit)
            return self.short(*TRAPS[why], self.used())


def main(folder):
    with open(os.path.join(folder, "calls.json"), encoding="utf-8") as file:
        order = json.load(file)
    config = wasmtime.Config()
    # As deep as the stack weight allows, so that it is never the engine that ends a recursion.
    config.max_wasm_stack = 3 << 19
    engine = wasmtime.Engine(config)
    made = {
        "engine": f"wasmtime {version('wasmtime')}",
        "machine": order["machine"],
        "calls": [Call(engine, folder, call).run() for call in order["calls"]],
    }
    json.dump(made, sys.stdout, indent=1)
    print()


main(sys.argv[1])
