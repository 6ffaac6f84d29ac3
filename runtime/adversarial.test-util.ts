/** For tests of what strangers send: every way by which bytes reach the application, and messages of every type with hostile fields. */
import type { ExecTxResult, ProcessProposalRequest } from '#core/abci.ts';
import { assert } from '#core/assert.ts';
import { EMPTY, utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import type { AccountKeyPair } from '#core/crypto/keys.ts';
import { type Logger, silentLogger } from '#core/ports/logger.ts';
import { toRound } from '#core/types/brand.ts';
import { SimulateRequestSchema } from '#proto/gen/cosmos/tx/v1beta1/service_pb.ts';
import { create, type DescMessage, encode, type MessageShape, pack, typeUrlOf } from '#proto/message.ts';
import { aminoField, type DescField, reflect, ScalarType } from '#proto/reflect.ts';
import { MODULES } from './module-table.ts';
import {
  DENOM,
  operatorText,
  type StakingChain,
  type StakingOptions,
  startStakingChain,
} from './modules/staking/test-network.ts';
import { testKey } from './test-chain.ts';
import type { TxPlan } from './tx/build.ts';

export const HUGE_DENOM = 'whale';
const HUGE = (1n << 250n) - 1n;
export const [alice, bob] = [testKey(5), testKey(6)];

export interface Arena {
  readonly net: StakingChain;
  /** What was logged as an error: a handler that threw. */
  readonly faults: string[];
}

export function recordingLogger(faults: string[]): Logger {
  return {
    ...silentLogger,
    error: (message, fields) => faults.push(`${message}: ${String(fields?.what)}: ${String(fields?.error)}`),
    child: () => recordingLogger(faults),
  };
}

/** A staked chain with a block, on which alice and bob own a denomination near the bounds of amounts. */
export async function startArena(options: StakingOptions = {}): Promise<Arena> {
  const faults: string[] = [];
  const coins = [
    { denom: DENOM, amount: 10_000_000_000n },
    { denom: HUGE_DENOM, amount: HUGE },
  ];
  const net = await startStakingChain({ coins, logger: recordingLogger(faults), ...options });
  await net.block();
  return { net, faults };
}

/** What an engine says, and no sentence of ours. */
const ENGINE_TEXT = /\n\s+at |TypeError|RangeError|SyntaxError|Cannot |is not a function|undefined|\[object /;

export function expectSound({ net, faults }: Arena): void {
  const broken = [...faults, ...net.chain.app.brokenInvariants()];
  assert(broken.length === 0, broken.join('; '));
}

export function expectClear({ code, codespace, log }: Pick<ExecTxResult, 'code' | 'codespace' | 'log'>): void {
  assert(!ENGINE_TEXT.test(log), `an engine's words: ${log}`);
  assert(code === 0 || (codespace !== '' && log !== ''), `code ${code} without a sentence or a codespace`);
}

export function simulate({ net }: Arena, tx: Uint8Array) {
  const data = encode(SimulateRequestSchema, { txBytes: tx });
  return net.chain.app.query({ path: '/cosmos.tx.v1beta1.Service/Simulate', data, height: 0n, prove: false });
}

export function judge(net: StakingChain, txs: readonly Uint8Array[]) {
  const { height, time } = net.chain.request([]);
  const request: ProcessProposalRequest = {
    nextValidatorsHash: EMPTY,
    proposerAddress: new Uint8Array(20),
    misbehavior: [],
    height,
    time,
    txs,
    proposedLastCommit: { round: toRound(0), votes: [] },
    hash: EMPTY,
  };
  return net.chain.app.processProposal(request);
}

export function prepare(net: StakingChain, txs: readonly Uint8Array[], maxTxBytes = 4_000_000): readonly Uint8Array[] {
  const { height, time } = net.chain.request([]);
  return net.chain.app.prepareProposal({
    nextValidatorsHash: EMPTY,
    proposerAddress: new Uint8Array(20),
    misbehavior: [],
    height,
    time,
    txs,
    maxTxBytes,
    localLastCommit: { round: toRound(0), votes: [] },
  });
}

/**
 * The transactions through simulation, CheckTx, recheck, both sides of a proposal, and a block: clear answers, no handler
 * that throws, invariants that hold.
 */
export async function offer(arena: Arena, txs: readonly Uint8Array[]): Promise<readonly ExecTxResult[]> {
  const { net } = arena;
  const { app } = net.chain;
  for (const tx of txs) {
    const simulated = simulate(arena, tx);
    expectClear(simulated);
    expectClear(await app.checkTx({ tx, type: 'new' }));
    expectClear(await app.checkTx({ tx, type: 'recheck' }));
    expectClear({ code: 0, codespace: '', log: judge(net, [tx]).reason });
  }
  const proposed = prepare(net, txs);
  const { accept, reason } = judge(net, proposed);
  assert(accept, `an honest proposal is refused: ${reason}`);
  const { txResults } = await net.block({ txs });
  assert(txResults.length === txs.length, 'each transaction has its result');
  for (const result of txResults) expectClear(result);
  expectSound(arena);
  return txResults;
}

/** Takes of any list of numbers, again and again, the next as a choice. */
export type Draw = <T>(choices: readonly [T, ...T[]]) => T;

export function drawFrom(numbers: readonly number[]): Draw {
  let at = 0;
  return (choices) => {
    const number = numbers[at++ % numbers.length] ?? 0;
    return choices[(number + at) % choices.length] ?? choices[0];
  };
}

export const NUMBERS = [
  '1',
  '1000000',
  '0',
  '',
  '-1',
  '+1',
  '01',
  '1.5',
  ' 1',
  '1e9',
  '0x10',
  '1_000',
  'NaN',
  'Infinity',
  '\u0661',
  '9223372036854775808',
  '18446744073709551616',
  '1000000000000000000',
  '1000000000000000001',
  String(HUGE),
  String((1n << 255n) - 1n),
  String(1n << 255n),
  String((1n << 256n) - 1n),
  String(1n << 256n),
  String((1n << 315n) - 1n),
  `-${1n << 315n}`,
  '9'.repeat(79),
  '9'.repeat(3_000),
] as const;

const TEXTS = [
  'x',
  '',
  DENOM,
  HUGE_DENOM,
  '/cosmos.bank.v1beta1.MsgSend',
  '\u0000',
  'a'.repeat(3_000),
  '\u{1f600}\u0301\u202e',
] as const;
const INTEGERS = [0n, 1n, -1n, 7n, 1n << 31n, (1n << 63n) - 1n, -(1n << 63n), (1n << 64n) - 1n] as const;

/** Types that may stand inside an Any, by what they are for. */
const MESSAGE_TYPES = MODULES.flatMap(({ messages = [] }) => messages.map(({ schema }) => schema));
const OTHER_TYPES = MODULES.flatMap(({ anyTypes = [] }) => anyTypes);

const MAX_NESTING = 5;

/**
 * A message of the type that alice may sign, with sensible fields but for one in ten, which is anything. One whose every field
 * is odd would be refused at its first, and say nothing of the others.
 */
export function hostileMessage<D extends DescMessage>(schema: D, draw: Draw, depth = 1): MessageShape<D> {
  const message = create(schema);
  const fields = reflect(schema, message);
  for (const field of schema.fields) {
    if (field.oneof !== undefined && draw([true, false])) continue;
    if (field.fieldKind === 'list') {
      const count = isOdd(draw) ? draw([0, 2]) : 1;
      for (let i = 0; i < count; i++) {
        const value = hostileValue(field, draw, depth);
        if (value !== undefined) fields.get(field).add(value as never);
      }
    } else if (field.fieldKind !== 'map') {
      const value = hostileValue(field, draw, depth);
      if (value !== undefined) fields.set(field, value as never);
    }
  }
  return message;
}

function isOdd(draw: Draw): boolean {
  return draw([false, false, false, true, false, false, false, false, false, false]);
}

function hostileValue(field: DescField, draw: Draw, depth: number): unknown {
  if (field.message !== undefined) {
    if (depth > MAX_NESTING) return undefined;
    const inner =
      field.message.typeName === 'google.protobuf.Any'
        ? hostileAny(field, draw, depth)
        : hostileMessage(field.message, draw, depth + 1);
    return reflect(field.message, inner as never);
  }
  if (field.enum !== undefined) return isOdd(draw) ? 3 : draw([1, 2]);
  const integer = isOdd(draw) ? draw(INTEGERS) : draw([2_000_000_000n, 1n, 10n]);
  switch (field.scalar) {
    case ScalarType.STRING:
      return hostileText(field, draw);
    case ScalarType.BYTES:
      return isOdd(draw) ? draw([EMPTY, new Uint8Array(300)]) : new Uint8Array(32).fill(7);
    case ScalarType.BOOL:
      return draw([true, false]);
    case ScalarType.INT64:
      return BigInt.asIntN(64, integer);
    case ScalarType.UINT64:
      return BigInt.asUintN(64, integer);
    case ScalarType.INT32:
      return field.name === 'nanos' && !isOdd(draw) ? 0 : Number(BigInt.asIntN(32, integer));
    case ScalarType.UINT32:
      return Number(BigInt.asUintN(32, integer));
    default:
      return undefined;
  }
}

const ADDRESS_NAME =
  /address|creator|requester|provider|sender|depositor|granter|grantee|pruner|buyer|submitter|authority|withdrawer/;

function hostileText(field: DescField, draw: Draw): string {
  const { scalar } = aminoField(field);
  const { name } = field;
  if (scalar === 'cosmos.ValidatorAddressString' || /^validator/.test(name)) {
    const signs = /MsgEditValidator|MsgCreateValidator|Commission|Unjail/.test(field.parent?.typeName ?? '');
    return isOdd(draw) ? draw(TEXTS) : operatorText(signs ? alice : name.includes('dst') ? testKey(2) : testKey(1));
  }
  if (/^(to_|grantee|recipient|withdraw_address)/.test(name)) return isOdd(draw) ? draw(TEXTS) : addressOf(bob);
  if (scalar === 'cosmos.AddressString' || ADDRESS_NAME.test(name)) return isOdd(draw) ? draw(TEXTS) : addressOf(alice);
  if (scalar === 'cosmos.Dec' || name.includes('rate')) return isOdd(draw) ? draw(NUMBERS) : '100000000000000000';
  if (scalar === 'cosmos.Int' || name === 'amount') return isOdd(draw) ? draw(NUMBERS) : draw(['1000', '1', '5000000']);
  if (name === 'denom' || name.endsWith('_denom')) return isOdd(draw) ? draw([HUGE_DENOM, ...TEXTS]) : DENOM;
  if (name === 'msg' || name.includes('type_url')) return isOdd(draw) ? draw(TEXTS) : '/cosmos.bank.v1beta1.MsgSend';
  return isOdd(draw) ? draw(TEXTS) : 'x';
}

let addressOf: (key: AccountKeyPair) => string = () => '';

/** Before messages are made: how addresses look on this chain. */
export function useAddressesOf({ net }: Arena): void {
  addressOf = net.chain.address;
}

function hostileAny(field: DescField, draw: Draw, depth: number) {
  assert(field.message !== undefined, 'an Any is a message');
  const wanted =
    field.name === 'msgs'
      ? /./
      : /pub_?key/.test(field.name)
        ? /ed25519/
        : field.name === 'allowance'
          ? /Allowance/
          : /Authorization/;
  const all = field.name === 'msgs' ? MESSAGE_TYPES : OTHER_TYPES;
  const [first, ...rest] = isOdd(draw) ? all : all.filter(({ typeName }) => wanted.test(typeName));
  assert(first !== undefined, `there are types for ${field.name}`);
  const type = draw([first, ...rest]);
  return create(field.message, {
    typeUrl: typeUrlOf(type),
    value: encode(type, hostileMessage(type, draw, depth + 1) as never),
  });
}

export function packHostile(schema: DescMessage, draw: Draw): TxPlan['messages'][number] {
  return pack(schema, hostileMessage(schema, draw) as never);
}

/** Numbers that look random and are always the same. */
export function someNumbers(seed: string, count: number): number[] {
  const numbers: number[] = [];
  for (let block = 0; numbers.length < count; block++) numbers.push(...sha256(utf8(`${seed} ${block}`)));
  return numbers.slice(0, count);
}
