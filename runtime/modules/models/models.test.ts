import { describe, expect, test } from 'vitest';
import { concat, toHex } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { ERRORS, type ModelsError } from '#core/errors.ts';
import { ModelSchema } from '#proto/gen/autonomy/models/v1/models_pb.ts';
import * as q from '#proto/gen/autonomy/models/v1/query_pb.ts';
import { MsgRegisterModelResponseSchema, MsgRegisterModelSchema } from '#proto/gen/autonomy/models/v1/tx_pb.ts';
import { create, decodeStrict, type MessageInitShape } from '#proto/message.ts';
import { unchecked } from '#test/support/components.ts';
import { accountOf, action, CHAIN, PoiChain, text } from '#test/support/poi-chain.ts';
import { component, guest, wat } from '#test/vm/wat.ts';

import { EventLog } from '../../events.ts';
import { moduleTable } from '../../module-table.ts';
import { gasMeter, OutOfGas } from '../../state/gas.ts';
import { messageRouter } from '../../tx/router.ts';
import { registerModel } from './handlers.ts';
import { MODELS_STORE, models } from './state.ts';

const echo = component(guest());
const alice = text(accountOf('alice'));

function chain(params: Readonly<Record<string, number>> = {}): PoiChain {
  return new PoiChain({ powers: [1n], balances: { alice: 1_000_000n }, genesis: { models: { params } } });
}

const register = (change: MessageInitShape<typeof MsgRegisterModelSchema> = {}) =>
  action(MsgRegisterModelSchema, {
    creator: alice,
    name: 'echo',
    description: 'Gives back\nwhat it is given.',
    licence: 'Apache-2.0',
    component: echo,
    price: 25n,
    gasLimitMax: 1_000_000n,
    ...change,
  });

describe('a registered model', () => {
  test('is found by its number and by its component’s hash', () => {
    const on = chain();
    const [result] = on.block([register()]).results;
    if (!result?.ok) throw new Error('refused');
    expect(decodeStrict(MsgRegisterModelResponseSchema, result.value)).toMatchObject({
      value: { id: 1n, componentHash: sha256(echo) },
    });
    const { model } = on.query(
      '/autonomy.models.v1.Query/Model',
      q.QueryModelRequestSchema,
      q.QueryModelResponseSchema,
      { id: 1n },
    );
    expect(model).toEqual(
      create(ModelSchema, {
        id: 1n,
        creator: alice,
        name: 'echo',
        description: 'Gives back\nwhat it is given.',
        licence: 'Apache-2.0',
        componentHash: sha256(echo),
        moduleHash: model?.moduleHash ?? new Uint8Array(),
        componentBytes: echo.length,
        price: 25n,
        gasLimitMax: 1_000_000n,
        height: 1n,
      }),
    );
    const found = on.query(
      '/autonomy.models.v1.Query/Component',
      q.QueryComponentRequestSchema,
      q.QueryComponentResponseSchema,
      { hash: sha256(echo) },
    );
    expect(toHex(found.component)).toBe(toHex(echo));
  });

  test('the same component twice is two models over one stored component; numbers go on, newest first', () => {
    const on = chain();
    on.block([register(), register({ name: 'again', price: 7n })]);
    const page = (beforeId: bigint, limit: number) =>
      on
        .query('/autonomy.models.v1.Query/Models', q.QueryModelsRequestSchema, q.QueryModelsResponseSchema, {
          beforeId,
          limit,
        })
        .models.map(({ id }) => id);
    expect(page(0n, 0)).toEqual([2n, 1n]);
    expect(page(2n, 10)).toEqual([1n]);
    expect(page(0n, 1)).toEqual([2n]);
  });
});

const core = (fields: string): Uint8Array => unchecked(wat(`(module ${fields})`));
const REFUSALS: [string, MessageInitShape<typeof MsgRegisterModelSchema>, ModelsError, string][] = [
  ['a cut component', { component: echo.subarray(0, echo.length - 1) }, 'componentTemplate', 'template'],
  ['bytes behind it', { component: concat(echo, Uint8Array.of(0)) }, 'componentTemplate', 'template'],
  ['a core module', { component: guest() }, 'componentTemplate', 'begin with'],
  ['nothing', { component: new Uint8Array() }, 'componentTemplate', 'begin with'],
  [
    'an import',
    { component: core('(import "env" "f" (func)) (memory (export "memory") 1)') },
    'componentUnsupported',
    'import',
  ],
  ['a missing export', { component: core('(memory (export "memory") 1)') }, 'componentInterface', 'cabi_realloc'],
  ['no memory at all', { component: core('') }, 'componentInterface', 'memory'],
  ['garbage inside', { component: unchecked(Uint8Array.of(1, 2, 3)) }, 'componentMalformed', ''],
  ['more memory than allowed', { component: component(guest({ memory: '9 16' })) }, 'componentLimit', '9 pages'],
  ['more than 512 KiB', { component: new Uint8Array(512 * 1024 + 1) }, 'componentTooLarge', '524288'],
  ['no name', { name: '' }, 'badMetadata', 'name'],
  ['a line break in its name', { name: 'a\nb' }, 'badMetadata', 'control characters'],
  ['a reversed description', { description: 'gpj\u202eexe' }, 'badMetadata', 'control characters'],
  ['no price', { price: 0n }, 'badMetadata', 'price'],
  ['a gas limit beyond the parameter', { gasLimitMax: 100_000_000_001n }, 'badMetadata', 'gas_limit_max'],
];

test.each(REFUSALS)('%s is refused by name, and nothing is stored', (_name, change, kind, sentence) => {
  const on = chain({ max_memory_pages: 8 });
  const [result] = on.block([register(change)]).results;
  if (result === undefined || result.ok) throw new Error('accepted');
  expect(result.error).toMatchObject({ codespace: 'models', code: ERRORS.models[kind] });
  expect(result.error.message).toContain(sentence);
  expect([...models.entries(on.state.store(MODELS_STORE))]).toEqual([]);
});

test('the chain’s own smaller limit counts too', () => {
  const on = chain({ max_component_bytes: 100 });
  expect(on.block([register()]).results[0]).toMatchObject({ ok: false, error: { code: 4 } });
});

test('admission is paid for by the byte before it is done', () => {
  const on = chain();
  const context = {
    state: on.state.branch(),
    gas: gasMeter(10n * BigInt(echo.length) - 1n),
    events: new EventLog(),
    block: on.blockInfo(),
    chain: CHAIN,
    router: messageRouter(moduleTable()),
  };
  const message = create(MsgRegisterModelSchema, register().message);
  expect(() => registerModel.handle(context, message)).toThrow(OutOfGas);
});
