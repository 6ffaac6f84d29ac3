/**
 * The modules in execution order, as data. How a module looks and how to add one: `module.ts`.
 *
 * Each step of a block walks this list from first to last: genesis, begin block, end block. Messages and queries are found
 * by their type URL and path, store names are the union of `stores`.
 */
import { assert } from '#core/assert.ts';
import type { DescMessage } from '#proto/message.ts';
import { typeUrlOf } from '#proto/message.ts';
import type { MessageHandler, ModulePermission, QueryHandler, RuntimeModule } from './module.ts';
import { authModule } from './modules/auth/module.ts';
import { authzModule } from './modules/authz/module.ts';
import { bankModule } from './modules/bank/module.ts';
import { chainModule } from './modules/chain/module.ts';
import { consensusModule } from './modules/consensus/module.ts';
import { creditsModule } from './modules/credits/module.ts';
import { distributionModule } from './modules/distribution/module.ts';
import { evidenceModule } from './modules/evidence/module.ts';
import { feegrantModule } from './modules/feegrant/module.ts';
import { inferenceModule } from './modules/inference/module.ts';
import { mintModule } from './modules/mint/module.ts';
import { modelsModule } from './modules/models/module.ts';
import { poiModule } from './modules/poi/module.ts';
import { slashingModule } from './modules/slashing/module.ts';
import { stakingModule } from './modules/staking/module.ts';
import { vestingModule } from './modules/vesting/module.ts';

export const MODULES: readonly RuntimeModule[] = [
  chainModule,
  authModule,
  bankModule,
  consensusModule,
  vestingModule,
  feegrantModule,
  authzModule,
  mintModule,
  distributionModule,
  slashingModule,
  evidenceModule,
  stakingModule,
  creditsModule,
  modelsModule,
  inferenceModule,
  poiModule,
];

/** The table with its look-ups; made once. */
export interface ModuleTable {
  readonly modules: readonly RuntimeModule[];
  readonly messages: ReadonlyMap<string, MessageHandler>;
  readonly queries: ReadonlyMap<string, QueryHandler>;
  /** Sorted. */
  readonly storeNames: readonly string[];
  /** Sorted by name. */
  readonly moduleAccounts: readonly { readonly name: string; readonly permissions: readonly ModulePermission[] }[];
  /** The type of what stands in an Any. */
  resolveAny(typeUrl: string): DescMessage | undefined;
  readonly injector: RuntimeModule | undefined;
  readonly extender: RuntimeModule | undefined;
}

/** @throws AssertionError when two modules claim the same name, store, account, message or query, or the same single role. */
export function moduleTable(modules: readonly RuntimeModule[] = MODULES): ModuleTable {
  unique(
    'module',
    modules.map((module) => module.name),
  );
  const storeNames = modules.flatMap((module) => module.stores);
  unique('store', storeNames);
  const messages = modules.flatMap((module) => module.messages ?? []);
  unique(
    'message',
    messages.map((message) => message.typeUrl),
  );
  const queries = modules.flatMap((module) => module.queries ?? []);
  unique(
    'query',
    queries.map((query) => query.path),
  );
  const accounts = modules.flatMap((module) =>
    Object.entries(module.moduleAccounts ?? {}).map(([name, permissions]) => ({ name, permissions })),
  );
  unique(
    'module account',
    accounts.map((account) => account.name),
  );
  const types = new Map(messages.map(({ typeUrl, schema }) => [typeUrl, schema]));
  for (const module of modules) for (const type of module.anyTypes ?? []) types.set(typeUrlOf(type), type);
  const injector = single(
    'injection',
    modules.filter((module) => module.injection !== undefined),
  );
  if (injector?.injection !== undefined) checkMagic(injector.injection.magic);
  return {
    modules,
    messages: new Map(messages.map((message) => [message.typeUrl, message])),
    queries: new Map(queries.map((query) => [query.path, query])),
    storeNames: storeNames.toSorted(compareText),
    moduleAccounts: accounts.toSorted((a, b) => compareText(a.name, b.name)),
    resolveAny: (typeUrl) => types.get(typeUrl),
    injector,
    extender: single(
      'vote extension',
      modules.filter((module) => module.voteExtension !== undefined),
    ),
  };
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function unique(what: string, names: readonly string[]): void {
  const seen = new Set<string>();
  for (const name of names) {
    assert(!seen.has(name), `module table: ${what} ${name} occurs twice`);
    seen.add(name);
  }
}

function single(what: string, modules: readonly RuntimeModule[]): RuntimeModule | undefined {
  assert(modules.length <= 1, `module table: more than one module has ${what}`);
  return modules[0];
}

const MAGIC_BYTES = 4;
/** Tags of TxRaw's three fields. */
const TX_TAGS = [0x0a, 0x12, 0x1a];

function checkMagic(magic: Uint8Array): void {
  assert(magic.length === MAGIC_BYTES, `module table: the injection's magic must be ${MAGIC_BYTES} bytes`);
  assert(!TX_TAGS.includes(magic[0] ?? 0), 'module table: a transaction could begin like the injection');
}
