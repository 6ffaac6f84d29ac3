/** The modules of a chain, block by block, without transactions' signatures: what the rules do, fast enough for properties. */
import { ed25519 } from '@noble/curves/ed25519.js';
import type { CommitInfo, Event, ExtendedCommitInfo } from '#core/abci.ts';
import { concat, EMPTY, toBase64, u64be, utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { consensusAddress, ed25519Key, type PublicKey } from '#core/crypto/pubkey.ts';
import { pureVerifier } from '#core/crypto/verify.ts';
import {
  encodeExtension,
  type Opened,
  type PoiExtension,
  sealHash,
  type VerdictOpening,
  verdictHash,
} from '#core/poi/formats.ts';
import type { Result } from '#core/result.ts';
import { toRound } from '#core/types/brand.ts';
import { FLAG_ABSENT, FLAG_COMMIT } from '#core/types/commit.ts';
import { DEFAULT_CONSENSUS_PARAMS } from '#core/types/consensus-params.ts';
import { voteExtensionSignBytes } from '#core/types/vote.ts';
import {
  create,
  type DescMessage,
  decodeStrict,
  encode,
  type MessageInitShape,
  type MessageShape,
  typeUrlOf,
} from '#proto/message.ts';
import { formatAddress } from '#runtime/address.ts';
import type { BlockInfo, ChainParams, ProposalContext, QueryContext } from '#runtime/context.ts';
import { EventLog } from '#runtime/events.ts';
import type { Json } from '#runtime/module.ts';
import { moduleTable } from '#runtime/module-table.ts';
import { encodeInjection, injection } from '#runtime/modules/poi/injection.ts';
import { StateBranch } from '#runtime/state/branch.ts';
import { infiniteGasMeter } from '#runtime/state/gas.ts';
import type { KvReader } from '#runtime/state/kv-view.ts';
import { messageRouter } from '#runtime/tx/router.ts';

export const CHAIN: ChainParams = { chainId: 'autonomy-test', bech32Prefix: 'auton', baseDenom: 'uauton' };

export interface TestValidator {
  readonly secret: Uint8Array;
  readonly publicKey: PublicKey;
  readonly address: Uint8Array;
  readonly power: bigint;
  /** Account that it is paid to. */
  readonly operator: Uint8Array;
}

/** A deterministic account for a name. */
export function accountOf(name: string): Uint8Array {
  return sha256(utf8(name)).slice(0, 20);
}

export function text(address: Uint8Array): string {
  return formatAddress(CHAIN, address);
}

/** In the order of a validator set: by power descending, then by address. */
export function testValidators(powers: readonly bigint[]): readonly TestValidator[] {
  return powers
    .map((power, i) => {
      const secret = sha256(utf8(`validator ${i}`));
      const publicKey = ed25519Key(ed25519.getPublicKey(secret));
      const operator = accountOf(`operator ${i}`);
      return { secret, publicKey, address: consensusAddress(publicKey), power, operator };
    })
    .sort((a, b) =>
      a.power > b.power ? -1 : a.power < b.power ? 1 : toBase64(a.address) < toBase64(b.address) ? -1 : 1,
    );
}

const emptyReader: KvReader = { get: () => undefined, has: () => false, entries: () => [] };

export interface BlockResult {
  readonly results: readonly Result<Uint8Array>[];
  readonly events: readonly Event[];
  readonly injected: Result<void, string>;
}

/** One message of a block. */
export interface Action<D extends DescMessage = DescMessage> {
  readonly schema: D;
  readonly message: MessageInitShape<D>;
}

export class PoiChain {
  readonly validators: readonly TestValidator[];
  readonly state = new StateBranch({ store: () => emptyReader });
  readonly #table = moduleTable();
  height = 0n;
  seconds = 1_000n;

  constructor(options: {
    readonly powers: readonly bigint[];
    readonly balances: Readonly<Record<string, bigint>>;
    readonly genesis?: Readonly<Record<string, Json>>;
    /** Indexes of validators without an account to be paid to. */
    readonly unpaid?: readonly number[];
  }) {
    this.validators = testValidators(options.powers);
    const state: Record<string, Json> = {
      bank: {
        balances: Object.entries(options.balances).map(([name, amount]) => ({
          address: text(accountOf(name)),
          coins: [{ denom: CHAIN.baseDenom, amount: String(amount) }],
        })),
      },
      poi: {
        operators: this.validators
          .filter((_, i) => !options.unpaid?.includes(i))
          .map(({ publicKey, operator }) => ({ pub_key: toBase64(publicKey.bytes), account: text(operator) })),
      },
      ...options.genesis,
    };
    for (const module of this.#table.modules) {
      const done = module.initGenesis?.(
        {
          state: this.state,
          chain: CHAIN,
          time: { seconds: this.seconds, nanos: 0 },
          initialHeight: 1n,
          validators: this.validators.map(({ publicKey, power }) => ({ publicKey, power })),
          consensusParams: { ...DEFAULT_CONSENSUS_PARAMS, abci: { voteExtensionsEnableHeight: 1n } },
        },
        state[module.name],
      );
      if (done !== undefined && !done.ok) throw new Error(done.error);
    }
  }

  blockInfo(height = this.height): BlockInfo {
    return { height, time: { seconds: this.seconds, nanos: 0 }, proposerAddress: EMPTY };
  }

  queryContext(): QueryContext {
    return { state: this.state, height: this.height, chain: CHAIN };
  }

  proposalContext(): ProposalContext {
    return { state: this.state, block: this.blockInfo(this.height + 1n), chain: CHAIN, verifier: pureVerifier };
  }

  /** The extended commit of the newest block: who is not in `extensions` was absent. */
  extendedCommit(extensions: ReadonlyMap<TestValidator, Uint8Array>): ExtendedCommitInfo {
    return {
      round: toRound(0),
      votes: this.validators.map((validator) => {
        const extension = extensions.get(validator);
        const who = { address: validator.address, power: validator.power };
        if (extension === undefined)
          return { validator: who, flag: FLAG_ABSENT, extension: EMPTY, extensionSignature: EMPTY };
        const bytes = voteExtensionSignBytes(CHAIN.chainId, { height: this.height, round: 0, extension });
        const extensionSignature = ed25519.sign(bytes, validator.secret);
        return { validator: who, flag: FLAG_COMMIT, extension, extensionSignature };
      }),
    };
  }

  /** Executes the next block and asserts every module's invariants. The injection is checked as a proposal when `checked`. */
  block(
    actions: readonly Action[] = [],
    said: ReadonlyMap<TestValidator, PoiExtension> = new Map(),
    options: { readonly seconds?: bigint; readonly checked?: boolean } = {},
  ): BlockResult {
    const extensions = new Map([...said].map(([validator, extension]) => [validator, encodeExtension(extension)]));
    const payload = this.height === 0n ? undefined : encodeInjection(this.#unsigned(extensions));
    this.height += 1n;
    this.seconds += options.seconds ?? 1n;
    const log = new EventLog();
    const base = {
      state: this.state,
      events: log,
      block: this.blockInfo(),
      chain: CHAIN,
      lastCommit: { round: toRound(0), votes: [] },
      misbehavior: [],
    };
    const injected = injection.apply(base, payload);
    const results = actions.map((action) => this.#deliver(action, log));
    for (const module of this.#table.modules) module.endBlock?.(base);
    const broken = this.#table.modules.flatMap((module) => module.invariants?.(this.queryContext()) ?? []);
    if (broken.length > 0) throw new Error(`after block ${this.height}: ${broken.join('; ')}`);
    return { results, events: log.events, injected };
  }

  /** Execution trusts the signatures that the proposal's check has verified. */
  #unsigned(extensions: ReadonlyMap<TestValidator, Uint8Array>): ExtendedCommitInfo {
    return {
      round: toRound(0),
      votes: this.validators.map((validator) => ({
        validator: { address: validator.address, power: validator.power },
        flag: extensions.has(validator) ? FLAG_COMMIT : FLAG_ABSENT,
        extension: extensions.get(validator) ?? EMPTY,
        extensionSignature: EMPTY,
      })),
    };
  }

  #deliver(action: Action, log: EventLog): Result<Uint8Array> {
    const handler = this.#table.messages.get(typeUrlOf(action.schema));
    if (handler === undefined) throw new Error(`no handler for ${action.schema.typeName}`);
    const message = create(action.schema, action.message);
    const signers = handler.signers(message, CHAIN);
    if (!signers.ok) return signers;
    const valid = handler.validate(message, CHAIN);
    if (!valid.ok) return valid;
    const branch = this.state.branch();
    const context = {
      state: branch,
      gas: infiniteGasMeter(),
      events: log,
      block: this.blockInfo(),
      chain: CHAIN,
      router: messageRouter(this.#table),
    };
    const result = handler.handle(context, message);
    if (result.ok) branch.write();
    return result;
  }

  /** `app_state`, as the modules export it. */
  exported(): Record<string, Json> {
    const out: Record<string, Json> = {};
    for (const module of this.#table.modules) {
      const json = module.exportGenesis?.(this.queryContext());
      if (json !== undefined) out[module.name] = json;
    }
    return out;
  }

  /** As a node answers it. */
  rawQuery(path: string, request: Uint8Array): Result<Uint8Array, string> {
    const answer = this.#table.queries.get(path)?.run(this.queryContext(), request);
    if (answer === undefined) return { ok: false, error: `no query ${path}` };
    return answer.ok ? answer : { ok: false, error: answer.error.message };
  }

  query<Req extends DescMessage, Res extends DescMessage>(
    path: string,
    request: Req,
    response: Res,
    init: MessageInitShape<Req>,
  ): MessageShape<Res> {
    const handler = this.#table.queries.get(path);
    const answer = handler?.run(this.queryContext(), encode(request, init));
    if (answer === undefined || !answer.ok) throw new Error(answer?.error.message ?? `no query ${path}`);
    const decoded = decodeStrict(response, answer.value);
    if (!decoded.ok) throw new Error(decoded.error);
    return decoded.value;
  }
}

/** The last commit that fits an extended commit. */
export function commitInfoOf(extended: ExtendedCommitInfo): CommitInfo {
  return { round: extended.round, votes: extended.votes.map(({ validator, flag }) => ({ validator, flag })) };
}

export function action<D extends DescMessage>(schema: D, message: MessageInitShape<D>): Action {
  return { schema, message: message as MessageInitShape<DescMessage> };
}

/** A result that depends on the job and on which truth is told. */
export function openedOf(job: bigint, truth: number, salt: string, root: Uint8Array): Opened {
  return {
    kind: 0,
    outputRoot: root,
    traceRoot: sha256(concat(u64be(job), Uint8Array.of(truth))),
    gasUsed: 1_000n + BigInt(truth),
    salt: sha256(utf8(salt)),
  };
}

export function commitmentOf(validator: TestValidator, job: bigint, opened: Opened): { job: bigint; hash: Uint8Array } {
  return { job, hash: verdictHash({ chainId: CHAIN.chainId, job, address: validator.address }, opened) };
}

export function openingOf(job: bigint, opened: Opened): VerdictOpening {
  return { job, ...opened };
}

export function sealOf(provider: Uint8Array, job: bigint, opened: Opened): Uint8Array {
  return sealHash({ chainId: CHAIN.chainId, job, address: provider }, opened);
}
