/** Sends the transactions of one key, one after another. */
import { type AccountKeyPair, bech32Address } from '#core/crypto/keys.ts';
import type { AnyMessage } from '#runtime/context.ts';
import { buildSimulation, buildTx } from '#runtime/tx/build.ts';
import { feeFor, type GasPrice } from './amounts.ts';
import { AppError, type ChainClient, type TxOutcome } from './chain-client.ts';

export interface SenderOptions {
  readonly key: AccountKeyPair;
  readonly gasPrice: GasPrice;
  /** How long a transaction is waited for, ms. */
  readonly timeoutMs: number;
}

export interface Sender {
  /** Bech32. */
  readonly address: string;
  readonly chainId: string;
  /**
   * Signs, sends and waits until a block has it. Calls queue behind each other, so that sequences follow.
   * @param gasLimit without it, the transaction is simulated.
   * @throws AppError when the chain refuses it, RpcClientError when the node does not answer.
   */
  send(messages: readonly AnyMessage[], gasLimit?: bigint): Promise<TxOutcome>;
}

/** Simulated gas is multiplied with thirteen tenths: the block may find a little more to read than the simulation. */
const GAS_NUMERATOR = 13n;
const GAS_DENOMINATOR = 10n;

function adjusted(gas: bigint): bigint {
  return (gas * GAS_NUMERATOR) / GAS_DENOMINATOR;
}

export async function createSender(chain: ChainClient, options: SenderOptions): Promise<Sender> {
  const { key, gasPrice, timeoutMs } = options;
  const chainId = (await chain.status()).node_info.network;
  const address = bech32Address(key.publicKey, await chain.bech32Prefix());
  let last: Promise<unknown> = Promise.resolve();

  async function sendNow(messages: readonly AnyMessage[], fixedGas: bigint | undefined): Promise<TxOutcome> {
    const account = await chain.account(address);
    if (account === undefined)
      throw new AppError('sdk', 9, `${address} is not on the chain yet: it needs coins before it can send`);
    const { sequence } = account;
    const simulation = buildSimulation({ messages, fee: [], gasLimit: 0n }, [{ publicKey: key.publicKey, sequence }]);
    const gasLimit = fixedGas ?? adjusted(await chain.simulate(simulation));
    const plan = { messages, fee: feeFor(gasLimit, gasPrice), gasLimit };
    const tx = buildTx(plan, chainId, [{ key, ...account }]);
    const outcome = await chain.waitForTx(await chain.broadcast(tx), timeoutMs);
    if (outcome.code !== 0) throw new AppError(outcome.codespace, outcome.code, outcome.log);
    return outcome;
  }

  return {
    address,
    chainId,
    send(messages, gasLimit) {
      const sent = last.then(() => sendNow(messages, gasLimit));
      last = sent.catch(() => undefined);
      return sent;
    },
  };
}
