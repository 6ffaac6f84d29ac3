import { expect, test } from 'vitest';
import { fromBase64, toBase64 } from '#core/bytes.ts';
import { JobSchema, JobStatus } from '#proto/gen/autonomy/inference/v1/inference_pb.ts';
import { ModelSchema } from '#proto/gen/autonomy/models/v1/models_pb.ts';
import { type DescMessage, decodeStrict, encode, type MessageShape } from '#proto/message.ts';
import { accountOf, PoiChain, text } from '#test/support/poi-chain.ts';
import { JobDriver } from '#test/support/poi-jobs.ts';
import type { Json } from '../../module.ts';

/** A chain in the middle of things: one job settled, one refunded, one waiting for openings, one assigned. */
function busy(): JobDriver {
  const on = new JobDriver();
  const settled = on.toRevealing();
  on.open(settled);
  on.reveal(settled, [0, 1, 2, 3]);
  on.request({ deadlineIn: 2n });
  on.idle(2);
  on.toRevealing();
  on.request();
  return on;
}

function imported(state: Record<string, Json>): PoiChain {
  return new PoiChain({ powers: [10n, 10n, 10n, 10n], balances: {}, genesis: state });
}

test('what is exported is what is read, and goes on from there', () => {
  const on = busy();
  expect([1n, 2n, 3n, 4n].map((id) => on.job(id).status)).toEqual([
    JobStatus.SETTLED,
    JobStatus.REFUNDED,
    JobStatus.REVEALING,
    JobStatus.ASSIGNED,
  ]);
  const state = JSON.parse(JSON.stringify(on.chain.exported())) as Record<string, Json>;
  const chain = imported(state);
  expect(chain.exported()).toEqual(state);
  // The open job settles on the new chain.
  chain.height = on.chain.height;
  chain.seconds = on.chain.seconds;
  const there = on.over(chain);
  there.open(3n);
  there.reveal(3n, [0, 1, 2, 3]);
  expect(there.job(3n).status).toBe(JobStatus.SETTLED);
  expect(there.request()).toBe(5n);
});

const part = (state: Record<string, Json>, module: string) => state[module] as Record<string, Json[]>;

/** Changes fields of the record at `index`. */
function change<D extends DescMessage>(
  module: string,
  list: string,
  schema: D,
  index: number,
  fields: Partial<MessageShape<D>>,
): (state: Record<string, Json>) => void {
  return (state) => {
    const records = part(state, module)[list] ?? [];
    const record = decodeStrict(schema, fromBase64(String(records[index]), 'record'));
    if (!record.ok) throw new Error(record.error);
    records[index] = toBase64(encode(schema, { ...record.value, ...fields }));
  };
}

test.each<[string, (state: Record<string, Json>) => void, string]>([
  [
    'a job that is gone but for its escrow',
    (state) => {
      part(state, 'inference').jobs?.pop();
      part(state, 'inference').inputs?.pop();
    },
    'app_state.inference: inference: escrow holds 50, live jobs say 25',
  ],
  ['a lost bond', (state) => void part(state, 'inference').providers?.pop(), 'has jobs but no bond'],
  [
    'a job twice',
    (state) => void part(state, 'inference').jobs?.push(part(state, 'inference').jobs?.[0] ?? ''),
    'app_state.inference.jobs[4]: job 1 is listed twice',
  ],
  [
    'an input of no job',
    (state) => void part(state, 'inference').inputs?.push({ job: '77', bytes: 'AA==' }),
    'inputs[4].job: job 77 is not listed',
  ],
  [
    'a model without its component',
    (state) => void part(state, 'models').components?.pop(),
    'the component of model 1 is not listed',
  ],
  [
    'a record that does not decode',
    (state) => void part(state, 'models').models?.push('AAAA'),
    'app_state.models.models[1]',
  ],
  ['a live job of nobody', change('inference', 'jobs', JobSchema, 3, { requester: 'x' }), 'jobs[3]: requester: '],
  [
    'a live job without a fee',
    change('inference', 'jobs', JobSchema, 3, { fee: 0n }),
    'jobs[3]: fee: expected at least 1',
  ],
  [
    'a live job of no model',
    change('inference', 'jobs', JobSchema, 3, { modelId: 9n }),
    'jobs[3]: model 9 is not listed',
  ],
  ['a model of nobody', change('models', 'models', ModelSchema, 0, { creator: '' }), 'models[0]: creator: '],
  ['a model for nothing', change('models', 'models', ModelSchema, 0, { price: 0n }), 'models[0]: price: expected 1'],
  [
    'the operator of a stranger',
    (state) => void part(state, 'poi').operators?.push({ pub_key: 'AAAA', account: 'auton1' }),
    'app_state.poi.operators[4].pub_key: "AAAA" is the key of no genesis validator',
  ],
  [
    'an operator twice',
    (state) => void part(state, 'poi').operators?.push(part(state, 'poi').operators?.[0] ?? ''),
    'app_state.poi.operators[4].pub_key: listed twice',
  ],
])('%s is refused by the path of its field', (_name, damage, sentence) => {
  const state = JSON.parse(JSON.stringify(busy().chain.exported())) as Record<string, Json>;
  damage(state);
  expect(() => imported(state)).toThrow(sentence);
});

test.each<[string, Record<string, Json>, string]>([
  ['models', { params: { max_component_bytes: 600_000 } }, 'app_state.models.params.max_component_bytes'],
  ['models', { params: { max_memory_pages: 0 } }, 'app_state.models.params.max_memory_pages'],
  ['inference', { params: { max_live_jobs: 0 } }, 'app_state.inference.params.max_live_jobs'],
  ['inference', { params: { job_stake: -1 } }, 'app_state.inference.params.job_stake'],
  ['inference', { params: { colour: 1 } }, 'app_state.inference.params.colour: unknown field'],
  ['credits', { params: { price_micro_usd: 0 } }, 'app_state.credits.params.price_micro_usd'],
  [
    'bank',
    { balances: [{ address: text(accountOf('x')), coins: [{ denom: 'uauton', amount: String(2n ** 63n) }] }] },
    'app_state.credits: the supply of uauton',
  ],
  ['poi', { operators: {} }, 'app_state.poi.operators: expected an array'],
])('a parameter of %s outside its bounds is refused by its path', (module, json, sentence) => {
  expect(() => imported({ [module]: json })).toThrow(sentence);
});
