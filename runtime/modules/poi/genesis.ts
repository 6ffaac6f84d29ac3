import { toBase64, toHex } from '#core/bytes.ts';
import { consensusAddress } from '#core/crypto/pubkey.ts';
import { MAX_INT64 } from '#core/int.ts';
import type { Result } from '#core/result.ts';
import { ValidatorSchema, VerdictSchema } from '#proto/gen/autonomy/poi/v1/poi_pb.ts';
import { create } from '#proto/message.ts';
import { formatAddress, parseAddress } from '../../address.ts';
import type { GenesisContext, QueryContext } from '../../context.ts';
import { asArrayOrEmpty, asInteger, asObject, asParsed, asString, JsonError, readJson, root } from '../../json.ts';
import type { Json } from '../../module.ts';
import { asRecord, recordJson } from '../../records-json.ts';
import { STAKING_STORE } from '../staking/state.ts';
import { stakedCommittee } from './follow.ts';
import { committee, extensionsFrom, POI_STORE, validators, verdicts } from './state.ts';

/**
 * `app_state.poi`: `{"operators": [{"pub_key": <base64>, "account": <address>}]}`, the accounts that verification is paid
 * to. The validators themselves are the genesis document's; one that is not listed verifies unpaid. Where they are
 * staked, their operators are paid and need no list. After an export also
 * `verdicts`, each with its job.
 */
export function initPoi(context: GenesisContext, json: Json | undefined): Result<void, string> {
  return readJson(() => {
    const store = context.state.store(POI_STORE);
    const top = asObject(root(json ?? {}, 'app_state.poi'), ['operators', 'former', 'verdicts']);
    const accounts = new Map<string, string>();
    for (const entry of asArrayOrEmpty(top.operators)) {
      const fields = asObject(entry, ['pub_key', 'account']);
      const key = asString(fields.pub_key);
      if (!context.validators.some(({ publicKey }) => toBase64(publicKey.bytes) === key))
        throw new JsonError(`${fields.pub_key.path}: ${JSON.stringify(key)} is the key of no genesis validator`);
      if (accounts.has(key)) throw new JsonError(`${fields.pub_key.path}: listed twice`);
      const account = asParsed(fields.account, (text, title) => parseAddress(context.chain, text, title));
      accounts.set(key, formatAddress(context.chain, account));
    }
    const staking = stakedCommittee(context.state.store(STAKING_STORE), context.chain);
    const staked = staking && new Map(staking.map(({ address, operator }) => [toHex(address), operator]));
    for (const { publicKey, power } of context.validators) {
      const address = consensusAddress(publicKey);
      const operator = staked?.get(toHex(address)) ?? accounts.get(toBase64(publicKey.bytes)) ?? '';
      const member = { address, keyType: publicKey.type, publicKey: publicKey.bytes, power, operator };
      validators.set(store, address, create(ValidatorSchema, member));
    }
    for (const entry of asArrayOrEmpty(top.former)) {
      const former = asRecord(entry, ValidatorSchema);
      if (former.power !== 0n || validators.has(store, former.address))
        throw new JsonError(`${entry.path}: ${toHex(former.address)} is a validator`);
      validators.set(store, former.address, former);
    }
    for (const entry of asArrayOrEmpty(top.verdicts)) {
      const fields = asObject(entry, ['job', 'verdict']);
      const verdict = asRecord(fields.verdict, VerdictSchema);
      if (!validators.has(store, verdict.validator))
        throw new JsonError(`${fields.verdict.path}: a verdict of ${toHex(verdict.validator)}, who is no validator`);
      verdicts.set(store, [asInteger(fields.job, 1n, MAX_INT64), verdict.validator], verdict);
    }
    extensionsFrom.set(store, context.consensusParams.abci.voteExtensionsEnableHeight);
  });
}

export function exportPoi(context: QueryContext): Json {
  const store = context.state.store(POI_STORE);
  const staked = stakedCommittee(context.state.store(STAKING_STORE), context.chain);
  // The committee that begins with the export is the one that the stake has chosen last.
  const next = new Set((staked ?? committee(store)).map(({ address }) => toHex(address)));
  const former = [...validators.entries(store)].filter(([address]) => !next.has(toHex(address)));
  return {
    ...(former.length === 0
      ? {}
      : { former: former.map(([, one]) => recordJson(ValidatorSchema, { ...one, power: 0n })) }),
    operators: (staked === undefined ? committee(store) : [])
      .filter(({ operator }) => operator !== '')
      .map(({ publicKey, operator }) => ({ pub_key: toBase64(publicKey), account: operator })),
    verdicts: [...verdicts.entries(store)].map(([[job], verdict]) => ({
      job: String(job),
      verdict: recordJson(VerdictSchema, verdict),
    })),
  };
}
