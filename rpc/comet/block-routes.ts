import { ok } from '#core/result.ts';
import { toHeight } from '#core/types/brand.ts';
import type { BlockMeta, SignedHeader } from '../backend.ts';
import { RPC_LIMITS } from '../limits.ts';
import { checkPage, readPaging, resolveHeight } from './heights.ts';
import { blockMetaJson, blockRecordJson, signedHeaderJson } from './json/block.ts';
import { headerJson } from './json/header.ts';
import { consensusParamsJson } from './json/params.ts';
import { blockResultsJson } from './json/results.ts';
import { validatorJson } from './json/validator.ts';
import { hash, int64, optional } from './params.ts';
import { invalid, mapAnswer, type Route, route } from './route.ts';

const height = optional(int64, undefined);

const block = route({ height }, (backend, args) => {
  const at = resolveHeight(backend, args.height);
  return at.ok ? mapAnswer(backend.block(at.value), blockRecordJson) : at;
});

const NIL_ID = { hash: '', parts: { total: 0, hash: '' } };

/** An unknown hash is answered with an empty id and no block, as CometBFT does. */
const blockByHash = route({ hash }, (backend, args) => {
  const found = backend.blockByHash(args.hash);
  if (!found.ok && found.error.kind === 'not-found') return ok({ block_id: NIL_ID, block: null });
  return mapAnswer(found, blockRecordJson);
});

const header = route({ height }, (backend, args) => {
  const at = resolveHeight(backend, args.height, 0n, 'headers');
  return at.ok ? mapAnswer(backend.blockMeta(at.value), (meta) => ({ header: headerJson(meta.header) })) : at;
});

const headerByHash = route({ hash }, (backend, args) => {
  const found = backend.blockByHash(args.hash);
  if (!found.ok && found.error.kind === 'not-found') return ok({ header: null });
  return mapAnswer(found, (record) => ({ header: headerJson(record.block.header) }));
});

const commit = route({ height }, (backend, args) => {
  const at = resolveHeight(backend, args.height, 0n, 'headers');
  return at.ok ? mapAnswer<SignedHeader, unknown>(backend.signedHeader(at.value), signedHeaderJson) : at;
});

const blockResults = route({ height }, (backend, args) => {
  const at = resolveHeight(backend, args.height);
  return at.ok ? mapAnswer(backend.results(at.value), (results) => blockResultsJson(at.value, results)) : at;
});

/** Newest first, at most {@link RPC_LIMITS.maxBlockMetas} (CometBFT rpc/core/blocks.go filterMinMax). */
const blockchain = route({ minHeight: optional(int64, 0n), maxHeight: optional(int64, 0n) }, (backend, args) => {
  const { base, latest } = backend.heights();
  if (args.minHeight < 0n || args.maxHeight < 0n)
    return invalid(`heights must be non-negative, got minHeight ${args.minHeight} and maxHeight ${args.maxHeight}`);
  const max = args.maxHeight === 0n || args.maxHeight > latest ? latest : args.maxHeight;
  const lowest = max - BigInt(RPC_LIMITS.maxBlockMetas) + 1n;
  const min = [args.minHeight, base, lowest, 1n].reduce((a, b) => (a > b ? a : b));
  if (min > max) return invalid(`min height ${min} can't be greater than max height ${max}`);
  const metas: BlockMeta[] = [];
  for (let at = max; at >= min; at--) {
    const meta = backend.blockMeta(toHeight(at));
    if (!meta.ok) return meta;
    metas.push(meta.value);
  }
  return ok({ last_height: String(latest), block_metas: metas.map(blockMetaJson) });
});

const validators = route(
  { height, page: optional(int64, undefined), per_page: optional(int64, undefined) },
  (backend, args) => {
    const at = resolveHeight(backend, args.height, 1n, 'headers');
    if (!at.ok) return at;
    const paging = readPaging(args.page, args.per_page);
    if (!paging.ok) return paging;
    const set = backend.validators(at.value);
    if (!set.ok) return set;
    const all = set.value.validators;
    const inRange = checkPage(paging.value, all.length);
    if (!inRange.ok) return inRange;
    const { page, perPage } = paging.value;
    const shown = all.slice((page - 1) * perPage, page * perPage);
    return ok({
      block_height: String(at.value),
      validators: shown.map(validatorJson),
      count: String(shown.length),
      total: String(all.length),
    });
  },
);

const consensusParams = route({ height }, (backend, args) => {
  const at = resolveHeight(backend, args.height, 1n);
  if (!at.ok) return at;
  return mapAnswer(backend.consensusParams(at.value), (params) => ({
    block_height: String(at.value),
    consensus_params: consensusParamsJson(params),
  }));
});

export const blockRoutes: Readonly<Record<string, Route>> = {
  block,
  block_by_hash: blockByHash,
  block_results: blockResults,
  blockchain,
  commit,
  consensus_params: consensusParams,
  header,
  header_by_hash: headerByHash,
  validators,
};
