/** What the genesis document fixes for the whole chain: address prefix and base denomination. First in the table. */
import { ok, type Result } from '#core/result.ts';
import { isDenom } from '../../coins.ts';
import type { ChainParams } from '../../context.ts';
import { asObject, asString, isAbsent, JsonError, type JsonField, readJson, root } from '../../json.ts';
import type { Json, RuntimeModule } from '../../module.ts';
import { blockTime, CHAIN_STORE, chainParams } from './state.ts';

export const DEFAULT_PREFIX = 'auton';
export const DEFAULT_DENOM = 'uauton';

const PREFIX = /^[a-z]{1,20}$/;

/** `app_state.chain`; without it, the defaults. */
export function readChainParams(chainId: string, json: Json | undefined): Result<ChainParams, string> {
  if (json === undefined) return ok({ chainId, bech32Prefix: DEFAULT_PREFIX, baseDenom: DEFAULT_DENOM });
  return readJson(() => {
    const fields = asObject(root(json, 'app_state.chain'), ['bech32_prefix', 'base_denom']);
    return {
      chainId,
      bech32Prefix: textOr(fields.bech32_prefix, DEFAULT_PREFIX, (text) => PREFIX.test(text), '1 … 20 letters a-z'),
      baseDenom: textOr(fields.base_denom, DEFAULT_DENOM, isDenom, 'a denomination'),
    };
  });
}

function textOr(field: JsonField, fallback: string, accepts: (text: string) => boolean, expected: string): string {
  if (isAbsent(field)) return fallback;
  const text = asString(field);
  if (!accepts(text)) throw new JsonError(`${field.path}: expected ${expected}, got ${JSON.stringify(text)}`);
  return text;
}

export const chainModule: RuntimeModule = {
  name: 'chain',
  stores: [CHAIN_STORE],
  initGenesis(context) {
    const store = context.state.store(CHAIN_STORE);
    chainParams.set(store, context.chain);
    blockTime.set(store, context.time);
    return ok(undefined);
  },
  beginBlock({ state, block }) {
    blockTime.set(state.store(CHAIN_STORE), block.time);
  },
  exportGenesis: ({ chain }) => ({ bech32_prefix: chain.bech32Prefix, base_denom: chain.baseDenom }),
};
