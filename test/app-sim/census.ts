/** Who has what in the committed state, so that operations can be about something that is there. */
import { toHex } from '#core/bytes.ts';
import type { Timestamp } from '#core/types/timestamp.ts';
import type { Job, Provider } from '#proto/gen/autonomy/inference/v1/inference_pb.ts';
import type { QueryContext } from '#runtime/context.ts';
import { AUTHZ_STORE, allGrants, type GrantKey } from '#runtime/modules/authz/state.ts';
import { BANK_STORE, balanceOf } from '#runtime/modules/bank/state.ts';
import { blockTimeOf } from '#runtime/modules/chain/state.ts';
import { accumulatedCommission, DISTRIBUTION_STORE } from '#runtime/modules/distribution/state.ts';
import { allAllowances, FEEGRANT_STORE } from '#runtime/modules/feegrant/state.ts';
import { INFERENCE_STORE, liveJobs, providers } from '#runtime/modules/inference/state.ts';
import { MODELS_STORE, models } from '#runtime/modules/models/state.ts';
import type { Unbonding, Validator } from '#runtime/modules/staking/records.ts';
import { allValidators, delegations, STAKING_STORE, unbondings } from '#runtime/modules/staking/state.ts';
import { type Actor, DENOM } from './scenario.ts';

export interface Owned {
  readonly delegator: Actor;
  readonly operator: Uint8Array;
}

function lazy<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** Each list is read when it is first asked for. */
export class Census {
  readonly context: QueryContext;
  readonly time: Timestamp;
  readonly #actors: ReadonlyMap<string, Actor>;

  constructor(context: QueryContext, actors: ReadonlyMap<string, Actor>) {
    this.context = context;
    this.time = blockTimeOf(context.state);
    this.#actors = actors;
  }

  actor(address: Uint8Array): Actor | undefined {
    return this.#actors.get(toHex(address));
  }

  balance(actor: Actor, denom = DENOM): bigint {
    return balanceOf(this.context.state.store(BANK_STORE), actor.address, denom);
  }

  commissionOf(operator: Uint8Array): boolean {
    return (accumulatedCommission.get(this.context.state.store(DISTRIBUTION_STORE), operator) ?? []).length > 0;
  }

  readonly validators = lazy((): readonly Validator[] => [...allValidators(this.context.state.store(STAKING_STORE))]);

  /** Validators whose operators can sign. */
  readonly operators = lazy((): readonly { readonly actor: Actor; readonly validator: Validator }[] =>
    this.validators().flatMap((validator) => {
      const actor = this.actor(validator.operator);
      return actor === undefined ? [] : [{ actor, validator }];
    }),
  );

  readonly delegations = lazy((): readonly Owned[] =>
    [...delegations.entries(this.context.state.store(STAKING_STORE))].flatMap(([[address, operator]]) => {
      const delegator = this.actor(address);
      return delegator === undefined ? [] : [{ delegator, operator }];
    }),
  );

  readonly unbondings = lazy((): readonly (Owned & { readonly entries: readonly Unbonding[] })[] =>
    [...unbondings.entries(this.context.state.store(STAKING_STORE))].flatMap(([[address, operator], entries]) => {
      const delegator = this.actor(address);
      return delegator === undefined ? [] : [{ delegator, operator, entries }];
    }),
  );

  readonly jobs = lazy((): readonly Job[] => liveJobs(this.context.state.store(INFERENCE_STORE)));

  readonly providers = lazy((): readonly { readonly actor: Actor; readonly provider: Provider }[] =>
    [...providers.entries(this.context.state.store(INFERENCE_STORE))].flatMap(([address, provider]) => {
      const actor = this.actor(address);
      return actor === undefined ? [] : [{ actor, provider }];
    }),
  );

  readonly models = lazy((): readonly bigint[] => [...models.keys(this.context.state.store(MODELS_STORE))]);

  readonly allowances = lazy(() =>
    [...allAllowances(this.context.state.store(FEEGRANT_STORE))].flatMap(({ granter, grantee, allowance }) => {
      const [from, to] = [this.actor(granter), this.actor(grantee)];
      return from === undefined || to === undefined ? [] : [{ granter: from, grantee: to, allowance }];
    }),
  );

  /** Between people: governance's grant to its council is not among them. */
  readonly grants = lazy(() =>
    [...allGrants(this.context.state.store(AUTHZ_STORE))].flatMap((grant: GrantKey) => {
      const [granter, grantee] = [this.actor(grant.granter), this.actor(grant.grantee)];
      return granter === undefined || grantee === undefined ? [] : [{ granter, grantee, message: grant.message }];
    }),
  );
}
