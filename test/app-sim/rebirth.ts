/** A chain that goes on from another's export says what the other says, and does what it does. */
import type { FinalizeBlockRequest, FinalizeBlockResponse, InitChainRequest } from '#core/abci.ts';
import { assert, defined } from '#core/assert.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { toHeight } from '#core/types/brand.ts';
import { formatGenesis, parseGenesis, toInitChain } from '#genesis/document.ts';
import { exportDocument } from '#genesis/export.ts';
import type { DescMessage, MessageInitShape } from '#proto/message.ts';
import { create, encode } from '#proto/message.ts';
import type { RuntimeApplication } from '#runtime/app.ts';
import type { QueryContext } from '#runtime/context.ts';
import { initState } from '#runtime/genesis-state.ts';
import type { Json } from '#runtime/module.ts';
import { moduleTable } from '#runtime/module-table.ts';
import { INFERENCE_STORE, liveJobs } from '#runtime/modules/inference/state.ts';
import { POI_STORE, scheduled } from '#runtime/modules/poi/state.ts';
import { StateBranch } from '#runtime/state/branch.ts';
import { MultiStore } from '#runtime/state/multistore.ts';
import type { Rng } from '#test/sim/rng.ts';
import { textOf } from './checks.ts';
import type { SimConsensus } from './consensus.ts';
import { type Opening, open } from './replicas.ts';
import { type Actor, CHAIN_ID, DENOM } from './scenario.ts';

/** Blocks that both execute. */
const LIFE = 12;

export interface Rebirth {
  readonly app: RuntimeApplication;
  readonly bornAt: bigint;
  /**
   * Whether it does exactly what the old chain does: a new chain's committee is the one that the stake has chosen last, the old
   * one's still the one before, and that changes what becomes of jobs.
   */
  readonly isExact: boolean;
}

/** Fails with a sentence when the export is not read back. */
export async function rebirth(
  app: RuntimeApplication,
  consensus: SimConsensus,
  opening: Opening,
  asked: readonly Question[],
): Promise<{ readonly ok: true; readonly value: Rebirth } | { readonly ok: false; readonly error: string }> {
  const state = defined(app.stateAt(0n), 'a committed state');
  const exported = exportDocument({
    state,
    height: toHeight(consensus.height),
    time: consensus.time,
    chainId: CHAIN_ID,
    validators: consensus.newest.validators.map(({ publicKey, power }) => ({ publicKey, power })),
    consensusParams: consensus.params,
    names: new Map(),
  });
  if (!exported.ok) return { ok: false, error: `the state cannot be exported: ${exported.error}` };
  const read = parseGenesis(formatGenesis(exported.value));
  if (!read.ok) return { ok: false, error: `the exported document is not read back: ${read.error}` };
  const initialHeight = read.value.initialHeight;
  const child = await open(new MemoryKv(), { ...opening, options: { ...opening.options, initialHeight } });
  child.initChain(toInitChain(read.value));
  const isExact = !isCommitteeWaiting(state) || liveJobs(state.state.store(INFERENCE_STORE)).length === 0;
  const other = differingAnswer(state, genesisState(toInitChain(read.value)), asked);
  return other === undefined
    ? { ok: true, value: { app: child, bornAt: consensus.height, isExact } }
    : { ok: false, error: `the reborn chain answers ${other} differently` };
}

/** Whether the stake has chosen a committee that has yet to begin. */
function isCommitteeWaiting({ state }: QueryContext): boolean {
  for (const _ of scheduled.keys(state.store(POI_STORE))) return true;
  return false;
}

/** The state that a genesis makes, before any block. */
function genesisState(request: InitChainRequest): QueryContext {
  const table = moduleTable();
  const state = new StateBranch(MultiStore.open(new MemoryKv(), table.storeNames).latest());
  const chain = initState(table, state, request);
  assert(chain.ok, 'the document was accepted before');
  return { state, height: request.initialHeight - 1n, chain: chain.value };
}

/** Who validated earlier blocks is not exported; the first height of vote extensions is the new chain's own. */
const OWN_ANSWERS: ReadonlySet<string> = new Set([
  '/cosmos.staking.v1beta1.Query/HistoricalInfo',
  '/cosmos.consensus.v1.Query/Params',
]);

/** The path of a query that two states answer differently. */
function differingAnswer(a: QueryContext, b: QueryContext, asked: readonly Question[]): string | undefined {
  const { queries } = moduleTable();
  return asked.find(({ path, data }) => {
    const handler = queries.get(path);
    const isCompared =
      handler !== undefined && !OWN_ANSWERS.has(path) && !(path.includes('.poi.') && isCommitteeWaiting(a));
    return isCompared && textOf(handler.run(a, data)) !== textOf(handler.run(b, data));
  })?.path;
}

export function isOver({ bornAt }: Rebirth, height: bigint): boolean {
  return height >= bornAt + BigInt(LIFE);
}

/** What ids of unbonding stake may be shorter: they begin again after the highest that is still there. */
const ID_GAS = 200;

/**
 * Both results of the transactions that differ. What governance reads is not as long as before: a first height of vote
 * extensions, bits of blocks that nobody misses any more.
 */
function differing(
  again: FinalizeBlockResponse,
  before: FinalizeBlockResponse,
  names: readonly string[],
): readonly string[] {
  return before.txResults.flatMap((old, i) => {
    const now = again.txResults[i];
    const isGasTold = names[i]?.startsWith('governance') !== true;
    const gas = Number((now?.gasUsed ?? 0n) - old.gasUsed);
    const isSame = now?.code === old.code && now.codespace === old.codespace;
    if (isSame && (Math.abs(gas) <= ID_GAS || !isGasTold)) return [];
    const text = (one: typeof old | undefined) => `${one?.codespace} ${one?.code} ${one?.gasUsed} ${one?.log}`;
    return [`the reborn chain answers ${names[i]} with ${text(now)}, the old one with ${text(old)}`];
  });
}

/** Executes the block that the old chain has executed. */
export async function relive(
  child: Rebirth,
  request: FinalizeBlockRequest,
  response: FinalizeBlockResponse,
  names: readonly string[],
): Promise<readonly string[]> {
  const again = child.app.finalizeBlock(request);
  await child.app.commit();
  const breaches = [...differing(again, response, names)];
  if (textOf(again.validatorUpdates) !== textOf(response.validatorUpdates))
    breaches.push(
      `the reborn chain updates validators by ${textOf(again.validatorUpdates)}, not ${textOf(response.validatorUpdates)}`,
    );
  for (const broken of child.app.brokenInvariants()) breaches.push(`the reborn chain is broken: ${broken}`);
  return breaches;
}

/**
 * What an export does not carry on purpose, by the place in it: when the two exports are compared, these are not.
 * Unbonding ids begin after the highest that is still there, as in the Cosmos SDK.
 */
function comparable(exported: Readonly<Record<string, Json>>): string {
  const { poi: _poi, inference: _inference, ...rest } = exported;
  return JSON.stringify(rest, (key, value) => (key === 'unbonding_id' || key === 'unbonding_ids' ? undefined : value));
}

export function sameExport(a: RuntimeApplication, b: RuntimeApplication): { readonly a: string; readonly b: string } {
  return { a: comparable(a.exportGenesis()), b: comparable(b.exportGenesis()) };
}

/** Fields of a query's request, by name, filled in so that there is something to answer. */
function valueFor(name: string, rng: Rng, actors: readonly Actor[], operators: readonly string[]): unknown {
  if (/denom/.test(name)) return DENOM;
  if (/validator_addr|validator_address|src_validator|dst_validator/.test(name) && operators.length > 0)
    return rng.pick(operators);
  if (/addr|granter|grantee|delegator|provider/.test(name)) return rng.pick(actors).text;
  return undefined;
}

export interface Question {
  readonly path: string;
  readonly data: Uint8Array;
}

/** One question for each query of the chain. */
export function questions(
  app: RuntimeApplication,
  rng: Rng,
  actors: readonly Actor[],
  operators: readonly string[],
): readonly Question[] {
  return [...app.table.queries.values()].map(({ path, request }) => {
    const message = create(request as DescMessage) as Record<string, unknown>;
    for (const { name, localName, fieldKind } of request.fields) {
      if (fieldKind !== 'scalar') continue;
      const value = valueFor(name, rng, actors, operators);
      if (typeof message[localName] === 'string' && value !== undefined) message[localName] = value;
      else if (typeof message[localName] === 'bigint' && name.endsWith('id'))
        message[localName] = BigInt(rng.between(1, 20));
    }
    return { path, data: encode(request, message as MessageInitShape<DescMessage>) };
  });
}

export function answerTo(app: RuntimeApplication, { path, data }: Question): string {
  const { code, codespace, log, value } = app.query({ path, data, height: 0n, prove: false });
  return textOf({ code, codespace, log, value });
}
