/** What a signer sends to a node and a node to its signer: a message or a sentence, never anything else. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concat } from '#core/bytes.ts';
import { ProtoWriter } from '#core/codec/proto-writer.ts';
import { pureVerifier } from '#core/crypto/verify.ts';
import { parseSignerDialAddress } from '#node/privval/address.ts';
import { decodePrivval, encodePrivval } from '#node/privval/codec.ts';
import { ed25519KeyFromSeed } from '#node/privval/ed25519-key.ts';
import { SecretConnection } from '#node/privval/secret-connection.ts';
import { fuzzRuns } from './runs.ts';

/** Fields of any number and type, nested: closer to messages than random bytes are. */
const fields = fc.letrec<{ message: Uint8Array }>((tie) => ({
  message: fc
    .array(
      fc.tuple(
        fc.integer({ min: 1, max: 10 }),
        fc.oneof(
          { depthSize: 'small' },
          fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
          fc.uint8Array({ maxLength: 40 }),
          tie('message'),
        ),
      ),
      { maxLength: 6 },
    )
    .map((list) => {
      const writer = new ProtoWriter();
      for (const [number, value] of list)
        if (typeof value === 'bigint') writer.varint(number, value);
        else writer.message(number, value);
      return writer.finish();
    }),
})).message;

test('a message of any bytes decodes to what encodes to the same, or is refused', () => {
  fc.assert(
    fc.property(fc.oneof(fields, fc.uint8Array({ maxLength: 200 })), (bytes) => {
      const result = decodePrivval(bytes);
      if (result.ok) expect(decodePrivval(encodePrivval(result.value))).toEqual(result);
      else expect(result.error).not.toBe('');
    }),
    { numRuns: fuzzRuns() },
  );
});

test('a peer of a secret connection that sends anything is refused or waited for, and never authenticated', () => {
  const identity = ed25519KeyFromSeed(new Uint8Array(32).fill(1));
  const head = Uint8Array.of(34, 10, 32);
  fc.assert(
    fc.property(fc.boolean(), fc.array(fc.uint8Array({ maxLength: 1_100 }), { maxLength: 4 }), (begins, chunks) => {
      const connection = new SecretConnection({ identity, verifier: pureVerifier, write: () => undefined });
      const [first, ...rest] = chunks;
      for (const chunk of begins && first !== undefined ? [concat(head, first), ...rest] : chunks) {
        const result = connection.push(chunk);
        if (result.ok) continue;
        expect(result.error).not.toBe('');
        break;
      }
      expect(connection.peer).toBeUndefined();
    }),
    { numRuns: fuzzRuns(100) },
  );
});

test('any text is an address to dial or a refusal', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^(tcp|unix):\/\/[0-9a-z@:./]{0,60}$/)), (text) => {
      const result = parseSignerDialAddress(text);
      if (!result.ok) expect(result.error).not.toBe('');
    }),
    { numRuns: fuzzRuns(500) },
  );
});
