import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { EMPTY, equal, fromHex, toHex, utf8 } from '#core/bytes.ts';
import { readFields } from '#core/codec/proto-reader.ts';
import { decodeCommitmentProof } from '#core/ics23/codec.ts';
import { existenceRoot } from '#core/ics23/verify.ts';
import { vectorsPath } from './locate.ts';
import { createTree, verifyMembership, verifyNonMembership } from './subject-store.ts';

const folder = vectorsPath('iavl');

type Op = readonly ['set', string, string] | readonly ['remove', string];

test.skipIf(folder === undefined).each(['ops-small.json', 'ops-medium.json'])(
  '%s: the root after each version is Go’s',
  async (name) => {
    const versions = JSON.parse(readFileSync(join(folder ?? '', name), 'utf8')) as { ops: Op[]; root: string }[];
    expect(versions.length).toBeGreaterThan(5);
    const tree = createTree();
    const model = new Map<string, string>();
    for (const [index, { ops, root }] of versions.entries()) {
      for (const op of ops) {
        if (op[0] === 'set') {
          tree.set(fromHex(op[1]), fromHex(op[2]));
          model.set(op[1], op[2]);
        } else {
          expect(tree.remove(fromHex(op[1]))).toBe(model.delete(op[1]));
        }
      }
      expect(toHex(await tree.saveVersion()), `version ${index + 1}`).toBe(root);
    }
    const root = fromHex(versions.at(-1)?.root ?? '');
    for (const [key, value] of model) {
      if (value === '') continue;
      const at = fromHex(key);
      expect(verifyMembership('iavl', tree.prove(at), root, at, fromHex(value))).toBe(true);
      const absent = Uint8Array.of(...at, 0);
      expect(verifyNonMembership('iavl', tree.prove(absent), root, absent)).toBe(true);
    }
  },
);

/** Field `number` of a protobuf message, `occurrence` times over. */
function field(message: Uint8Array, number: number, occurrence = 0): Uint8Array {
  const fields = readFields('vector', message, { known: [1, 2, 3], repeated: [1] }).filter(
    (each) => each.number === number,
  );
  return fields[occurrence]?.bytes ?? EMPTY;
}

test.skipIf(folder === undefined).each(['ibc-verify_membership_key_0.json', 'ibc-verify_non-membership_key_1.json'])(
  '%s: a real two-level proof holds, and not for another root, store, key or value',
  (name) => {
    const vector = JSON.parse(readFileSync(join(folder ?? '', name), 'utf8')) as {
      consensus_state_hex: string;
      membership_msg: { path: [string, string]; proof: string; value: string };
    };
    const appHash = field(field(fromHex(vector.consensus_state_hex), 2), 1);
    expect(appHash.length).toBe(32);
    const { path: keyPath, proof, value } = vector.membership_msg;
    const inStore = field(fromHex(proof), 1, 0);
    const inApp = field(fromHex(proof), 1, 1);
    const [store, key] = [utf8(keyPath[0]), utf8(keyPath[1])];
    const decoded = decodeCommitmentProof(inApp);
    if (!decoded.ok || decoded.value.kind !== 'exist') throw new Error('the store proof is not an existence proof');
    const storeRoot = decoded.value.exist.value;
    const computed = existenceRoot(decoded.value.exist);
    expect(computed.ok && equal(computed.value, appHash)).toBe(true);
    expect(verifyMembership('tendermint', inApp, appHash, store, storeRoot)).toBe(true);
    expect(verifyMembership('tendermint', inApp, appHash, utf8('ibd'), storeRoot)).toBe(false);
    expect(verifyMembership('tendermint', inApp, storeRoot, store, storeRoot)).toBe(false);
    const holds = (root: Uint8Array, at: Uint8Array, bytes: Uint8Array) =>
      value === ''
        ? verifyNonMembership('iavl', inStore, root, at)
        : verifyMembership('iavl', inStore, root, at, bytes);
    expect(holds(storeRoot, key, fromHex(value))).toBe(true);
    expect(holds(appHash, key, fromHex(value))).toBe(false);
    expect(holds(storeRoot, utf8('a key far before its neighbours'), fromHex(value))).toBe(false);
    if (value !== '') expect(holds(storeRoot, key, utf8('another value'))).toBe(false);
  },
);
