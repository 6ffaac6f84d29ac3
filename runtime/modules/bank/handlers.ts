import { ERRORS } from '#core/errors.ts';
import { err, type Failure, ok, type Result } from '#core/result.ts';
import * as tx from '#proto/gen/cosmos/bank/v1beta1/tx_pb.ts';
import type { MessageShape } from '#proto/message.ts';
import { parseAddress } from '../../address.ts';
import { addCoins, type Coin, formatCoins, parseCoins } from '../../coins.ts';
import type { ChainParams, MessageContext } from '../../context.ts';
import { failSdk } from '../../errors.ts';
import { RUNTIME_LIMITS } from '../../limits.ts';
import { type MessageHandler, messageHandler, readable, signedBy } from '../../module.ts';
import { type UsualFields, usualCoins } from '../../usual-fields.ts';
import { isBlocked, type Ledger, ledgerOf, type Output, requireSendEnabled, sendCoins, sendToMany } from './ledger.ts';

type MsgSend = MessageShape<typeof tx.MsgSendSchema>;
type MsgMultiSend = MessageShape<typeof tx.MsgMultiSendSchema>;
type ProtoCoins = MsgSend['amount'];

/** Coins of a message: at least one. */
function readCoins(coins: ProtoCoins, title: string): Result<readonly Coin[]> {
  const parsed = parseCoins(coins, title);
  if (!parsed.ok) return failSdk('invalidCoins', parsed.error);
  return parsed.value.length === 0 ? failSdk('invalidCoins', `${title}: expected at least one coin`) : parsed;
}

interface Send {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
  readonly coins: readonly Coin[];
}

function readSend(message: MsgSend, chain: ChainParams): Result<Send> {
  const from = parseAddress(chain, message.fromAddress, 'from_address');
  if (!from.ok) return from;
  const to = parseAddress(chain, message.toAddress, 'to_address');
  if (!to.ok) return to;
  const coins = readCoins(message.amount, 'amount');
  return coins.ok ? ok({ from: from.value, to: to.value, coins: coins.value }) : coins;
}

function requireReceiver(ledger: Ledger, to: Uint8Array, text: string): Result<void> {
  return isBlocked(ledger, to) ? failSdk('unauthorized', `${text} is not allowed to receive funds`) : ok(undefined);
}

function handleSend(context: MessageContext, message: MsgSend): Result<Record<string, never>> {
  const send = readSend(message, context.chain);
  if (!send.ok) return send;
  const ledger = ledgerOf(context);
  const enabled = requireSendEnabled(ledger, send.value.coins);
  if (!enabled.ok) return enabled;
  const receiver = requireReceiver(ledger, send.value.to, message.toAddress);
  if (!receiver.ok) return receiver;
  const sent = sendCoins(ledger, send.value.from, send.value.to, send.value.coins);
  return sent.ok ? ok({}) : sent;
}

interface MultiSend {
  readonly from: Uint8Array;
  readonly total: readonly Coin[];
  readonly outputs: readonly Output[];
}

function bankFailure(kind: keyof typeof ERRORS.bank, message: string): { readonly ok: false; readonly error: Failure } {
  return err({ codespace: 'bank', code: ERRORS.bank[kind], message });
}

function readMultiSend(message: MsgMultiSend, chain: ChainParams): Result<MultiSend> {
  const input = message.inputs[0];
  if (input === undefined) return bankFailure('noInputs', 'no inputs to send transaction');
  if (message.inputs.length > 1) return bankFailure('multipleSenders', 'multiple senders not allowed');
  if (message.outputs.length === 0) return bankFailure('noOutputs', 'no outputs to send transaction');
  if (message.outputs.length > RUNTIME_LIMITS.maxMultiSendOutputs)
    return failSdk(
      'invalidRequest',
      `outputs: ${message.outputs.length} exceed the limit of ${RUNTIME_LIMITS.maxMultiSendOutputs}`,
    );
  const from = parseAddress(chain, input.address, 'inputs[0].address');
  if (!from.ok) return from;
  const total = readCoins(input.coins, 'inputs[0].coins');
  if (!total.ok) return total;
  let sum: readonly Coin[] = [];
  const outputs: Output[] = [];
  for (const [i, output] of message.outputs.entries()) {
    const to = parseAddress(chain, output.address, `outputs[${i}].address`);
    if (!to.ok) return to;
    const coins = readCoins(output.coins, `outputs[${i}].coins`);
    if (!coins.ok) return coins;
    outputs.push({ to: to.value, coins: coins.value });
    sum = addCoins(sum, coins.value);
  }
  if (formatCoins(sum) !== formatCoins(total.value))
    return bankFailure(
      'inputOutputMismatch',
      `input is ${formatCoins(total.value)}, outputs are ${formatCoins(sum)}: sum inputs != sum outputs`,
    );
  return ok({ from: from.value, total: total.value, outputs });
}

function handleMultiSend(context: MessageContext, message: MsgMultiSend): Result<Record<string, never>> {
  const send = readMultiSend(message, context.chain);
  if (!send.ok) return send;
  const ledger = ledgerOf(context);
  const enabled = requireSendEnabled(ledger, send.value.total);
  if (!enabled.ok) return enabled;
  for (const [i, { to }] of send.value.outputs.entries()) {
    const receiver = requireReceiver(ledger, to, message.outputs[i]?.address ?? '');
    if (!receiver.ok) return receiver;
  }
  const sent = sendToMany(ledger, send.value.from, send.value.total, send.value.outputs);
  return sent.ok ? ok({}) : sent;
}

function usualSend(fields: UsualFields): MsgSend | undefined {
  const fromAddress = fields.text(0x0a);
  const toAddress = fields.text(0x12);
  const amount = usualCoins(fields, 0x1a);
  return amount === undefined
    ? undefined
    : { $typeName: 'cosmos.bank.v1beta1.MsgSend', fromAddress, toAddress, amount };
}

export const bankMessages: readonly MessageHandler[] = [
  messageHandler({
    schema: tx.MsgSendSchema,
    response: tx.MsgSendResponseSchema,
    signers: (message, chain) => signedBy(parseAddress(chain, message.fromAddress, 'from_address')),
    validate: (message, chain) => readable(readSend(message, chain)),
    usual: usualSend,
    handle: handleSend,
  }),
  messageHandler({
    schema: tx.MsgMultiSendSchema,
    response: tx.MsgMultiSendResponseSchema,
    signers: (message, chain) => signedBy(parseAddress(chain, message.inputs[0]?.address ?? '', 'inputs[0].address')),
    validate: (message, chain) => readable(readMultiSend(message, chain)),
    handle: handleMultiSend,
  }),
];
