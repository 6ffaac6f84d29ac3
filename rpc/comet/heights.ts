import { ok } from '#core/result.ts';
import { type Height, toHeight } from '#core/types/brand.ts';
import type { Answer, Backend } from '../backend.ts';
import { RPC_LIMITS } from '../limits.ts';
import { invalid } from './route.ts';

/**
 * The height that a request means: its own, or the newest block's. `ahead`: how far above the newest block it may lie
 * (validator sets are known one height ahead). `of`: headers, commits and validator sets may be known of heights whose
 * blocks are not. The sentences are CometBFT's (rpc/core/env.go getHeight).
 */
export function resolveHeight(
  backend: Backend,
  wanted: bigint | undefined,
  ahead = 0n,
  of: 'blocks' | 'headers' = 'blocks',
): Answer<Height> {
  const { base: oldest, latest, headers } = backend.heights();
  const base = of === 'headers' && headers !== undefined ? headers : oldest;
  if (wanted === undefined) {
    if (latest === 0n) return { ok: false, error: { kind: 'not-found', message: 'there is no block yet' } };
    return ok(latest);
  }
  if (wanted <= 0n) return invalid(`height must be greater than 0, but got ${wanted}`);
  if (wanted > latest + ahead)
    return invalid(
      `height ${wanted} must be less than or equal to ${ahead === 0n ? 'the current blockchain height' : 'the next height'} ${latest + ahead}`,
    );
  if (wanted < base)
    return {
      ok: false,
      error: { kind: 'pruned', message: `height ${wanted} is not available, lowest height is ${base}` },
    };
  return ok(toHeight(wanted));
}

export interface Paging {
  readonly page: number;
  readonly perPage: number;
}

/** `per_page` out of range is moved into it, as CometBFT does; a page below 1 is refused. */
export function readPaging(page: bigint | undefined, perPage: bigint | undefined): Answer<Paging> {
  const wanted = page ?? 1n;
  if (wanted < 1n || wanted > BigInt(RPC_LIMITS.maxPage))
    return invalid(`page should be within [1, ${RPC_LIMITS.maxPage}] range, given ${wanted}`);
  const size =
    perPage === undefined || perPage < 1n
      ? RPC_LIMITS.defaultPerPage
      : perPage > BigInt(RPC_LIMITS.maxPerPage)
        ? RPC_LIMITS.maxPerPage
        : Number(perPage);
  return ok({ page: Number(wanted), perPage: size });
}

/** The page must be one that exists; page 1 always does. */
export function checkPage({ page, perPage }: Paging, total: number): Answer<true> {
  const pages = Math.max(1, Math.ceil(total / perPage));
  return page > pages ? invalid(`page should be within [1, ${pages}] range, given ${page}`) : ok(true);
}
