import { expect, test } from 'vitest';
import { keyFromPrivate } from '#core/crypto/keys.ts';
import { AuthInfoSchema, TxRawSchema } from '#proto/gen/cosmos/tx/v1beta1/tx_pb.ts';
import { decodeStrict } from '#proto/message.ts';
import { AppError, type ChainClient, type TxOutcome } from './chain-client.ts';
import { createSender } from './sender.ts';

const key = keyFromPrivate(new Uint8Array(32).fill(3));
const gasPrice = { denom: 'uauton', numerator: 25n * 10n ** 15n };
const message = { typeUrl: '/x.y.Z', value: new Uint8Array() };

interface Seen {
  readonly sequence: bigint | undefined;
  readonly gas: bigint | undefined;
  readonly fee: string | undefined;
}

function seenIn(tx: Uint8Array): Seen {
  const raw = decodeStrict(TxRawSchema, tx);
  const auth = raw.ok ? decodeStrict(AuthInfoSchema, raw.value.authInfoBytes) : raw;
  if (!auth.ok) throw new Error(auth.error);
  const { fee, signerInfos } = auth.value;
  return { sequence: signerInfos[0]?.sequence, gas: fee?.gasLimit, fee: fee?.amount[0]?.amount };
}

/** A chain that takes a block for each transaction; `codes` are the outcomes, 0 when they run out. */
function chainWith(codes: number[] = []): { readonly chain: ChainClient; readonly seen: Seen[] } {
  const seen: Seen[] = [];
  let sequence = 0n;
  const chain = {
    status: async () => ({ node_info: { network: 'test-1' } }),
    bech32Prefix: async () => 'auton',
    account: async () => ({ accountNumber: 4n, sequence }),
    simulate: async () => 100_000n,
    async broadcast(tx: Uint8Array) {
      seen.push(seenIn(tx));
      return 'AB';
    },
    async waitForTx(hash: string): Promise<TxOutcome> {
      sequence++;
      const code = codes.shift() ?? 0;
      const rest = { height: '9', gasWanted: '0', gasUsed: '0', data: '', events: [] };
      return { hash, code, codespace: code === 0 ? '' : 'models', log: code === 0 ? '' : 'refused', ...rest };
    },
  } as unknown as ChainClient;
  return { chain, seen };
}

const options = { key, gasPrice, timeoutMs: 1_000 };

test('transactions of one key follow each other, each with its own sequence', async () => {
  const { chain, seen } = chainWith();
  const sender = await createSender(chain, options);
  await Promise.all([sender.send([message]), sender.send([message]), sender.send([message])]);
  expect(seen.map(({ sequence }) => sequence)).toEqual([0n, 1n, 2n]);
});

test('gas is what was simulated and three tenths more, unless it is given; the fee follows', async () => {
  const { chain, seen } = chainWith();
  const sender = await createSender(chain, options);
  await sender.send([message]);
  await sender.send([message], 5_000_001n);
  expect(seen.map(({ gas, fee }) => [gas, fee])).toEqual([
    [130_000n, '3250'],
    [5_000_001n, '125001'],
  ]);
});

test('a refused transaction throws its code, and the next one goes on', async () => {
  const { chain, seen } = chainWith([13, 0]);
  const sender = await createSender(chain, options);
  const refused = sender.send([message]);
  const after = sender.send([message]);
  await expect(refused).rejects.toThrow(AppError);
  await expect(refused).rejects.toMatchObject({ codespace: 'models', code: 13 });
  expect(await after).toMatchObject({ code: 0 });
  expect(seen.map(({ sequence }) => sequence)).toEqual([0n, 1n]);
});
