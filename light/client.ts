/** The light client: CometBFT v0.38 light/client.go over our ports. Runs wherever there is a Kv and a fetch. */
import { equal, toHex } from '#core/bytes.ts';
import { minBig } from '#core/int.ts';
import type { Clock } from '#core/ports/clock.ts';
import type { Verifier } from '#core/ports/crypto.ts';
import type { Logger } from '#core/ports/logger.ts';
import { err, ok, type Result } from '#core/result.ts';
import { headerHash } from '#core/types/header.ts';
import type { LightBlock } from '#core/types/light-block.ts';
import { formatTime, type Timestamp } from '#core/types/timestamp.ts';
import { type Attack, type Comparison, compareWithWitness, type DetectorContext, examineConflict } from './detector.ts';
import { LIGHT_LIMITS } from './limits.ts';
import type { Provider, ProviderFault } from './provider.ts';
import { fetchLightBlock, verifySkipping } from './skipping.ts';
import type { LightStore } from './store.ts';
import { checkTrustLevel, isExpired, ownCommit, type VerifyOptions, verifyBackwards } from './verifier.ts';

export interface LightClientOptions extends VerifyOptions {
  /** `skipping` needs few blocks and trusts validators further on; `sequential` verifies every header. */
  readonly mode: 'skipping' | 'sequential';
  /** How long a witness may lag behind the primary, milliseconds. */
  readonly witnessLagMs: number;
  /** Verified blocks that are kept, ≥ 2. */
  readonly keep: number;
}

export interface LightClientDependencies {
  readonly primary: Provider;
  /** At least one: without a second opinion a majority of old validators could show any history. */
  readonly witnesses: readonly Provider[];
  readonly store: LightStore;
  readonly verifier: Verifier;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly wait: (ms: number) => Promise<void>;
}

/**
 * - `no-root`: there is no trusted block yet, or the given one is not the chain's;
 * - `expired`: what is trusted is too old, a new root must be given;
 * - `unavailable`: no source has answered with the block;
 * - `invalid`: a source has answered with a block that must not be believed;
 * - `no-witness`: nobody has confirmed the block;
 * - `attack`: two sources prove different histories. The client stops for good.
 */
export type LightFault =
  | { readonly kind: 'no-root' | 'expired' | 'unavailable' | 'invalid' | 'no-witness'; readonly message: string }
  | { readonly kind: 'attack'; readonly message: string; readonly attack: Attack };

export interface TrustRoot {
  readonly height: bigint;
  /** Of the header, 32 bytes. */
  readonly hash: Uint8Array;
}

type Outcome = Result<LightBlock, LightFault>;

export interface LightClient {
  /** Begins at, or changes to, a block that the user has learnt of in another way. What is stored stays when it contains the root. */
  trust(root: TrustRoot): Promise<Outcome>;
  /** The verified block at `height`, from the store, forwards from what is trusted, or backwards by hashes. */
  verifyAt(height: bigint): Promise<Outcome>;
  /** Verifies the primary's newest block. */
  update(): Promise<Outcome>;
  /** The highest and the lowest block that are verified and kept. */
  latest(): LightBlock | undefined;
  first(): LightBlock | undefined;
  /** Names of the sources as they are now: a primary that fails is replaced by a witness. */
  sources(): { readonly primary: string; readonly witnesses: readonly string[] };
}

const fault = (kind: Exclude<LightFault['kind'], 'attack'>, message: string) => err<LightFault>({ kind, message });

/** The error says which option or dependency cannot be. */
export function createLightClient(
  options: LightClientOptions,
  dependencies: LightClientDependencies,
): Result<LightClient, string> {
  const level = checkTrustLevel(options.trustLevel);
  if (!level.ok) return level;
  if (options.trustingPeriodNanos <= 0n) return err('trusting period: expected more than 0');
  if (options.keep < 2) return err(`kept blocks: expected at least 2, got ${options.keep}`);
  const count = dependencies.witnesses.length;
  if (count < 1 || count > LIGHT_LIMITS.maxWitnesses)
    return err(`witnesses: expected 1 … ${LIGHT_LIMITS.maxWitnesses}, got ${count}`);
  return ok(new Client(options, dependencies));
}

class Client implements LightClient {
  readonly #options: LightClientOptions;
  readonly #deps: LightClientDependencies;
  readonly #context: DetectorContext;
  #primary: Provider;
  #witnesses: readonly Provider[];
  #stopped: LightFault | undefined;
  /** Requests run one after the other: each builds on what the one before has verified. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: LightClientOptions, dependencies: LightClientDependencies) {
    this.#options = options;
    this.#deps = dependencies;
    const { verifier, logger, wait } = dependencies;
    this.#context = { options, verifier, logger, wait, witnessLagMs: options.witnessLagMs };
    this.#primary = dependencies.primary;
    this.#witnesses = dependencies.witnesses;
  }

  trust(root: TrustRoot): Promise<Outcome> {
    return this.#inTurn(() => this.#trust(root));
  }

  verifyAt(height: bigint): Promise<Outcome> {
    return this.#inTurn(() => this.#verifyAt(height));
  }

  update(): Promise<Outcome> {
    return this.#inTurn(() => this.#update());
  }

  latest(): LightBlock | undefined {
    return this.#deps.store.latest();
  }

  first(): LightBlock | undefined {
    return this.#deps.store.first();
  }

  sources() {
    return { primary: this.#primary.name, witnesses: this.#witnesses.map(({ name }) => name) };
  }

  async #inTurn(work: () => Promise<Outcome>): Promise<Outcome> {
    const mine = this.#queue.then(async () => {
      if (this.#stopped !== undefined) return err(this.#stopped);
      const outcome = await work();
      if (!outcome.ok && outcome.error.kind === 'attack') this.#stopped = outcome.error;
      return outcome;
    });
    this.#queue = mine.catch(() => undefined);
    return mine;
  }

  async #trust({ height, hash }: TrustRoot): Promise<Outcome> {
    const { store } = this.#deps;
    const { chainId, trustingPeriodNanos } = this.#options;
    const known = store.get(height);
    if (known !== undefined) {
      if (equal(headerHash(known.header), hash)) return ok(known);
      return fault(
        'no-root',
        `the store has verified ${toHex(headerHash(known.header))} at height ${height}, not ${toHex(hash)}: one of them is not the chain's`,
      );
    }
    const fetched = await this.#fromPrimary(height);
    if (!fetched.ok) return fetched;
    const block = fetched.value;
    const found = headerHash(block.header);
    if (!equal(found, hash))
      return fault('no-root', `${this.#primary.name} has ${toHex(found)} at height ${height}, expected ${toHex(hash)}`);
    if (isExpired(block.header, trustingPeriodNanos, this.#deps.clock.now()))
      return fault('expired', `the root, ${formatTime(block.header.time)}, is older than the trusting period`);
    const signed = ownCommit(block, { chainId }, this.#deps.verifier);
    if (!signed.ok) return fault('invalid', `${this.#primary.name}: ${signed.error.message}`);
    const comparisons = await this.#ask(block);
    for (const [witness, comparison] of comparisons)
      if (comparison.kind === 'conflict')
        return fault('no-root', `witness ${witness.name} has another block at height ${height}: remove one of the two`);
      else if (comparison.kind === 'priorities') return this.#otherPriorities(witness, height);
    await store.save(block, this.#options.keep);
    return ok(block);
  }

  async #update(): Promise<Outcome> {
    const latest = this.latest();
    if (latest === undefined) return noRoot();
    const fetched = await this.#fromPrimary(0n);
    if (!fetched.ok) return fetched;
    const block = fetched.value;
    if (block.header.height <= latest.header.height) return this.#verifyAt(latest.header.height);
    return this.#forwards(latest, block);
  }

  async #verifyAt(height: bigint): Promise<Outcome> {
    if (height < 1n) return fault('unavailable', `height: expected at least 1, got ${height}`);
    const { store } = this.#deps;
    const known = store.get(height);
    if (known !== undefined) return ok(known);
    const below = store.before(height);
    const above = store.after(height);
    if (below === undefined && above === undefined) return noRoot();
    if (below !== undefined && !this.#expired(below)) {
      const fetched = await this.#fromPrimary(height);
      return fetched.ok ? this.#forwards(below, fetched.value) : fetched;
    }
    if (above !== undefined) return this.#backwards(above, height);
    return fault('expired', `the newest trusted block, ${below?.header.height}, is older than the trusting period`);
  }

  #expired(block: LightBlock): boolean {
    return isExpired(block.header, this.#options.trustingPeriodNanos, this.#deps.clock.now());
  }

  /** Verifies `target` from the trusted block below it, has it confirmed, and keeps it. */
  async #forwards(trusted: LightBlock, target: LightBlock): Promise<Outcome> {
    return this.#options.mode === 'skipping' ? this.#skip(trusted, target) : this.#eachInTurn(trusted, target);
  }

  async #skip(trusted: LightBlock, first: LightBlock): Promise<Outcome> {
    let target = first;
    // Each source once: two that both lack a block on the way would hand it to each other for ever.
    for (let sources = this.#witnesses.length; ; sources--) {
      const now = this.#deps.clock.now();
      const trace = await verifySkipping(this.#context, this.#primary, trusted, target, now);
      if (trace.ok) return this.#confirm(trace.value, now);
      const { kind, height, message } = trace.error;
      if (kind === 'expired') return fault('expired', message);
      // A wrong target is an answer. A wrong or missing block on the way is a reason to ask another source.
      if (sources <= 0 || (kind === 'invalid' && height === target.header.height))
        return fault(
          kind === 'invalid' || kind === 'bad' ? 'invalid' : 'unavailable',
          `${this.#primary.name}: block ${height}: ${message}`,
        );
      const replaced = await this.#replacePrimary(target.header.height, kind === 'invalid' || kind === 'bad', message);
      if (!replaced.ok) return replaced;
      target = replaced.value;
    }
  }

  /** Every header, in stretches: after each the witnesses are asked, and its end is kept. */
  async #eachInTurn(trusted: LightBlock, target: LightBlock): Promise<Outcome> {
    let last = trusted;
    while (last.header.height < target.header.height) {
      const now = this.#deps.clock.now();
      const end = minBig(target.header.height, last.header.height + LIGHT_LIMITS.sequentialChunk);
      const trace = [last];
      for (let height = last.header.height + 1n; height <= end; height++) {
        const fetched = height === target.header.height ? ok(target) : await this.#fromPrimary(height);
        if (!fetched.ok) return fetched;
        const step = await verifySkipping(this.#context, this.#primary, last, fetched.value, now);
        if (!step.ok)
          return fault(
            step.error.kind === 'expired' ? 'expired' : 'invalid',
            `${this.#primary.name}: block ${height}: ${step.error.message}`,
          );
        last = fetched.value;
        trace.push(last);
      }
      const confirmed = await this.#confirm(trace, now);
      if (!confirmed.ok) return confirmed;
    }
    return ok(last);
  }

  /** Down the chain of hashes: what a trusted header names needs no trust in validators. */
  async #backwards(trusted: LightBlock, height: bigint): Promise<Outcome> {
    const distance = trusted.header.height - height;
    if (distance > LIGHT_LIMITS.maxBackwards)
      return fault(
        'unavailable',
        `block ${height} is ${distance} below the trusted ${trusted.header.height}: at most ${LIGHT_LIMITS.maxBackwards} headers are walked back`,
      );
    const { chainId } = this.#options;
    let last = trusted;
    while (last.header.height > height) {
      const fetched = await this.#fromPrimary(last.header.height - 1n);
      if (!fetched.ok) return fetched;
      const verdict = verifyBackwards(chainId, fetched.value, last.header);
      if (!verdict.ok) return fault('invalid', `${this.#primary.name}: ${verdict.error.message}`);
      last = fetched.value;
    }
    // The hash proves the header alone; the commit beside it must be one.
    const signed = ownCommit(last, { chainId }, this.#deps.verifier);
    if (!signed.ok) return fault('invalid', `${this.#primary.name}: ${signed.error.message}`);
    await this.#deps.store.save(last, this.#options.keep);
    return ok(last);
  }

  /** At least one witness has the block at the end of a verified trace, and none can prove another. */
  async #confirm(trace: readonly LightBlock[], now: Timestamp): Promise<Outcome> {
    const block = trace[trace.length - 1] as LightBlock;
    const comparisons = await this.#ask(block);
    let confirmed = false;
    for (const [witness, comparison] of comparisons) {
      if (comparison.kind === 'same') confirmed = true;
      if (comparison.kind === 'priorities') return this.#otherPriorities(witness, block.header.height);
      if (comparison.kind !== 'conflict') continue;
      const attack = await examineConflict(this.#context, trace, comparison.block, this.#primary, witness, now);
      if (attack.ok)
        return err({
          kind: 'attack',
          message: `${this.#primary.name} and ${witness.name} prove different blocks at height ${attack.value.againstPrimary.conflictingBlock.header.height}`,
          attack: attack.value,
        });
      this.#dismiss(witness, attack.error);
    }
    if (!confirmed) return fault('no-witness', `no witness has confirmed block ${block.header.height}`);
    await this.#deps.store.save(block, this.#options.keep);
    return ok(block);
  }

  /** Asks all witnesses at once; one that answers with nonsense is dismissed. */
  async #ask(block: LightBlock): Promise<readonly (readonly [Provider, Comparison])[]> {
    const answers = await Promise.all(
      this.#witnesses.map(
        async (witness) => [witness, await compareWithWitness(this.#context, block, witness)] as const,
      ),
    );
    for (const [witness, answer] of answers) {
      if (answer.kind === 'bad') this.#dismiss(witness, answer.message);
      else if (answer.kind === 'silent')
        this.#deps.logger.warn('a witness does not answer', { witness: witness.name, reason: answer.message });
    }
    return answers;
  }

  /** Nobody can tell who is right, and a node that starts from this set would propose out of turn. */
  #otherPriorities(witness: Provider, height: bigint) {
    return fault(
      'invalid',
      `${this.#primary.name} and ${witness.name} show different proposer priorities at height ${height}: remove one of the two`,
    );
  }

  #dismiss(witness: Provider, reason: string): void {
    this.#deps.logger.warn('a witness is dismissed', { witness: witness.name, reason });
    this.#witnesses = this.#witnesses.filter((other) => other !== witness);
  }

  async #fromPrimary(height: bigint): Promise<Outcome> {
    const fetched = await fetchLightBlock(this.#primary, height, this.#options.chainId);
    if (fetched.ok) return fetched;
    return this.#replacePrimary(height, fetched.error.kind === 'bad', fetched.error.message);
  }

  /** The first witness that has the block becomes the primary; the old one goes when it lied, else it is a witness. */
  async #replacePrimary(height: bigint, lied: boolean, reason: string): Promise<Outcome> {
    if (this.#witnesses.length === 0 || (lied && this.#witnesses.length === 1))
      return fault(lied ? 'invalid' : 'unavailable', `${reason}; there is no other source`);
    for (const witness of this.#witnesses) {
      const fetched: Result<LightBlock, ProviderFault> = await fetchLightBlock(witness, height, this.#options.chainId);
      if (!fetched.ok) continue;
      this.#deps.logger.warn('the primary is replaced', { primary: this.#primary.name, by: witness.name, reason });
      const rest = this.#witnesses.filter((other) => other !== witness);
      this.#witnesses = lied ? rest : [...rest, this.#primary];
      this.#primary = witness;
      return fetched;
    }
    return fault(lied ? 'invalid' : 'unavailable', reason);
  }
}

function noRoot() {
  return fault('no-root', 'nothing is trusted yet: give the height and hash of a block');
}
