import { ok, type Result } from '#core/result.ts';
import { compareTime } from '#core/types/timestamp.ts';
import { GrantSchema } from '#proto/gen/cosmos/feegrant/v1beta1/feegrant_pb.ts';
import { messageFromJson, messageToJson } from '#proto/json.ts';
import { create } from '#proto/message.ts';
import { formatAddress, parseAddress } from '../../address.ts';
import type { BlockContext, GenesisContext, QueryContext } from '../../context.ts';
import { asArrayOrEmpty, asObject, JsonError, readJson, root } from '../../json.ts';
import type { Json, RuntimeModule } from '../../module.ts';
import { ALLOWANCE_TYPES, expirationOf, packAllowance, readAllowance } from './allowance.ts';
import { feegrantMessages } from './handlers.ts';
import { feegrantQueries } from './queries.ts';
import { addAllowance, allAllowances, FEEGRANT_STORE, feegrantBreaches, getAllowance, removeExpired } from './state.ts';

/** Expired allowances that one block clears away. */
const PRUNED_PER_BLOCK = 200;

/** `app_state.feegrant`, in the JSON of the Cosmos SDK v0.50. What has expired at the chain's start is left out. */
function initFeegrant(context: GenesisContext, json: Json | undefined): Result<void, string> {
  if (json === undefined) return ok(undefined);
  return readJson(() => {
    const store = context.state.store(FEEGRANT_STORE);
    const { allowances } = asObject(root(json, 'app_state.feegrant'), ['allowances']);
    for (const field of asArrayOrEmpty(allowances)) {
      const read = messageFromJson(GrantSchema, field.value, ALLOWANCE_TYPES);
      if (!read.ok) throw new JsonError(`${field.path}: ${read.error}`);
      const granter = parseAddress(context.chain, read.value.granter, `${field.path}.granter`);
      if (!granter.ok) throw new JsonError(granter.error.message);
      const grantee = parseAddress(context.chain, read.value.grantee, `${field.path}.grantee`);
      if (!grantee.ok) throw new JsonError(grantee.error.message);
      const allowance = readAllowance(read.value.allowance);
      if (!allowance.ok) throw new JsonError(`${field.path}.allowance: ${allowance.error.message}`);
      const parties = { granter: granter.value, grantee: grantee.value };
      if (getAllowance(store, parties) !== undefined) throw new JsonError(`${field.path}: listed twice`);
      const expiration = expirationOf(allowance.value);
      if (expiration === undefined || compareTime(expiration, context.time) >= 0)
        addAllowance(store, parties, allowance.value);
    }
  });
}

function exportFeegrant(context: QueryContext): Json {
  const grants = [...allAllowances(context.state.store(FEEGRANT_STORE))];
  return {
    allowances: grants.map(({ granter, grantee, allowance }) => {
      const grant = create(GrantSchema, {
        granter: formatAddress(context.chain, granter),
        grantee: formatAddress(context.chain, grantee),
        allowance: { ...packAllowance(allowance) },
      });
      return messageToJson(GrantSchema, grant, ALLOWANCE_TYPES) as Json;
    }),
  };
}

export const feegrantModule: RuntimeModule = {
  name: 'feegrant',
  stores: [FEEGRANT_STORE],
  anyTypes: ALLOWANCE_TYPES,
  initGenesis: initFeegrant,
  exportGenesis: exportFeegrant,
  messages: feegrantMessages,
  queries: feegrantQueries,
  endBlock({ state, block }: BlockContext) {
    removeExpired(state.store(FEEGRANT_STORE), block.time, PRUNED_PER_BLOCK);
    return undefined;
  },
  invariants: (context) => feegrantBreaches(context.state.store(FEEGRANT_STORE)),
};
