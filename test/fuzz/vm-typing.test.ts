/**
 * Our type-checker against an engine's, on modules that differ from well-typed ones by an instruction or two: both accept
 * or both refuse, without exceptions, because nothing here is outside the features that a model may use.
 */
import { expect, test } from 'vitest';
import { ERRORS } from '#core/errors.ts';
import { randomParts } from '#test/cross-engine/random-module.ts';
import { type Pick, randomOf } from '#test/cross-engine/random-values.ts';
import { assemble, type CoreFunction, type CoreParts } from '#test/vm/assemble.ts';
import { admit, instrument } from '#vm/admission.ts';
import { wrapComponent } from '#vm/component.ts';
import { MODULE_LIMITS } from '#vm/limits.ts';
import { checkModule } from '#vm/wasm/check.ts';
import { decode, newInstruction } from '#vm/wasm/instruction.ts';
import { type Immediate, OPCODES, type Opcode } from '#vm/wasm/opcodes.ts';
import { parseModule } from '#vm/wasm/parse.ts';
import { reader, refusals } from '#vm/wasm/reader.ts';
import { put, putBytes, putU32, writer, written } from '#vm/wasm/writer.ts';
import { fuzzRuns } from './runs.ts';

const MUTANTS = fuzzRuns(10_000);
/** Mutants of one module. */
const EACH = 50;

interface Piece {
  readonly op: Opcode;
  readonly start: number;
  readonly end: number;
}

function piecesOf(code: Uint8Array): Piece[] {
  const pieces: Piece[] = [];
  const into = newInstruction();
  const r = reader(code, 0, code.length);
  while (r.at < r.end) {
    decode(r, into, MODULE_LIMITS.brTableLabels);
    pieces.push({ op: into.op, start: into.start, end: into.end });
  }
  return pieces;
}

/** Instructions that have the same kind of immediate can stand in each other's place. */
const KIN = new Map<Immediate, Opcode[]>();
for (const op of OPCODES.values()) KIN.set(op.immediate, [...(KIN.get(op.immediate) ?? []), op]);

const INDEXED: readonly Immediate[] = ['label', 'func', 'local', 'global', 'data', 'elem'];
const BLOCK_TYPES = [0x40, 0x7f, 0x7e, 0x7d, 0x7c, 0x7b];

function opBytes(op: Opcode): Uint8Array {
  const w = writer(8);
  if (op.code < 0x1000) put(w, op.code);
  else {
    put(w, op.code >>> 12);
    putU32(w, op.code & 0xfff);
  }
  return written(w);
}

function anyOf<T>(pick: Pick, items: readonly T[]): T {
  return items[pick(items.length)] as T;
}

/** The instruction with another immediate, or another of its kind with the same one. */
function changed(pick: Pick, code: Uint8Array, { op, start, end }: Piece): Uint8Array {
  const w = writer(32);
  if (INDEXED.includes(op.immediate) && pick(2) === 0) {
    putBytes(w, opBytes(op));
    putU32(w, pick(12));
  } else if (op.immediate === 'block' && pick(2) === 0) put(w, op.code, anyOf(pick, BLOCK_TYPES));
  else {
    putBytes(w, opBytes(anyOf(pick, KIN.get(op.immediate) ?? [op])));
    putBytes(w, code.subarray(start + opBytes(op).length, end));
  }
  return written(w);
}

function mutateCode(pick: Pick, code: Uint8Array): Uint8Array {
  // The edit before this one may have made what no longer decodes, or nothing at all: that is enough then.
  const read = refusals(() => piecesOf(code));
  const pieces = read.ok ? read.value : [];
  if (pieces.length === 0) return code;
  const at = pick(pieces.length);
  const piece = pieces[at] as Piece;
  const own = code.subarray(piece.start, piece.end);
  const w = writer(code.length + 32);
  putBytes(w, code.subarray(0, piece.start));
  switch (pick(6)) {
    case 0:
      break;
    case 1:
      putBytes(w, own);
      putBytes(w, own);
      break;
    case 2: {
      const other = anyOf(pick, pieces);
      putBytes(w, own);
      putBytes(w, code.subarray(other.start, other.end));
      break;
    }
    default:
      putBytes(w, changed(pick, code, piece));
  }
  putBytes(w, code.subarray(piece.end));
  return written(w).slice();
}

function mutant(pick: Pick, parts: CoreParts): Uint8Array {
  const functions: CoreFunction[] = [...parts.functions];
  for (let edits = 1 + pick(2); edits > 0; edits--) {
    const at = pick(functions.length);
    const { type, locals, code } = functions[at] as CoreFunction;
    functions[at] = { type, locals, code: mutateCode(pick, code) };
  }
  return assemble({ ...parts, functions });
}

function verdict(bytes: Uint8Array): string | undefined {
  const parsed = parseModule(bytes, { limits: MODULE_LIMITS });
  const facts = parsed.ok ? checkModule(parsed.value, MODULE_LIMITS) : parsed;
  return facts.ok ? undefined : facts.error.message;
}

test('an instruction or two changed: this checker and an engine give the same verdict', { timeout: 600_000 }, () => {
  let accepted = 0;
  let refused = 0;
  for (let seed = 0; accepted + refused < MUTANTS; seed++) {
    const parts = randomParts(seed);
    const pick = randomOf(seed + 1_000_000);
    for (let i = 0; i < EACH; i++) {
      const bytes = mutant(pick, parts);
      const message = verdict(bytes);
      if (WebAssembly.validate(bytes) !== (message === undefined))
        expect.fail(`seed ${seed}, mutant ${i}: an engine disagrees with ${message ?? 'acceptance'}`);
      if (message === undefined) accepted++;
      else refused++;
    }
  }
  // Both verdicts are tried often.
  expect(accepted * 20).toBeGreaterThan(MUTANTS);
  expect(refused * 20).toBeGreaterThan(MUTANTS);
});

test('bytes of components changed: a clean error of six kinds, or a module that still runs', () => {
  const { malformed, invalid, unsupported, limit, template, interface: exports } = ERRORS.vm;
  const kinds: readonly number[] = [malformed, invalid, unsupported, limit, template, exports];
  let accepted = 0;
  for (let seed = 0, left = MUTANTS; left > 0; seed++) {
    const component = wrapComponent(assemble(randomParts(seed)));
    const pick = randomOf(seed + 2_000_000);
    for (let i = 0; i < EACH; i++, left--) {
      const bytes = component.slice();
      for (let edits = 1 + pick(3); edits > 0; edits--) bytes[pick(bytes.length)] = pick(256);
      const model = admit(bytes);
      if (!model.ok) {
        expect(model.error.codespace).toBe('vm');
        expect(kinds).toContain(model.error.code);
        expect(model.error.message).toMatch(/^(?!.*(undefined|NaN|\[object)).{10,}/s);
        continue;
      }
      accepted++;
      // Rewriting takes longer than everything else here.
      if (i % 5 > 0) continue;
      const rewritten = instrument(model.value, MODULE_LIMITS.memoryPages);
      if (!rewritten.ok) throw new Error(rewritten.error.message);
      expect(WebAssembly.validate(rewritten.value)).toBe(true);
    }
  }
  expect(accepted * 50).toBeGreaterThan(MUTANTS);
});
