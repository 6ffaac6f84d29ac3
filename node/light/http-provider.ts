import { LIMITS } from '#core/limits.ts';
import { err, ok, type Result } from '#core/result.ts';
import type { LightBlock } from '#core/types/light-block.ts';
import { type Validator, validatorSetFrom } from '#core/types/validator-set.ts';
import type { Provider, ProviderFault } from '#light/provider.ts';
import { evidenceJson } from '#rpc/comet/json/block.ts';
import { readCommitJson } from '#rpc/comet/json/commit.ts';
import { readHeaderJson } from '#rpc/comet/json/header.ts';
import { asArray, asInt64, asObject, JsonError, readJson } from '#rpc/comet/json/reader.ts';
import { readValidatorJson } from '#rpc/comet/json/validator.ts';
import { RPC_LIMITS } from '#rpc/limits.ts';
import { createRpcClient, type RpcClient, RpcClientError } from '../client/rpc-client.ts';
import { NODE_LIMITS } from '../limits.ts';

/** An RPC client for a source that is not trusted: bounded in bytes and time. */
export function createSourceClient(url: string): RpcClient {
  return createRpcClient(url, {
    timeoutMs: NODE_LIMITS.lightRequestTimeoutMs,
    maxResponseBytes: NODE_LIMITS.lightResponseBytes,
  });
}

/** Light blocks from the CometBFT JSON-RPC of any node. */
export function createHttpProvider(rpc: RpcClient): Provider {
  return {
    name: rpc.url,
    lightBlock: (height) => answered(rpc, () => fetchBlock(rpc, height)),
    async reportEvidence(evidence) {
      const sent = await answered(rpc, () => rpc.call('broadcast_evidence', { evidence: evidenceJson(evidence) }));
      return sent.ok ? ok(true) : err(sent.error.message);
    },
  };
}

async function answered<T>(rpc: RpcClient, request: () => Promise<T>): Promise<Result<T, ProviderFault>> {
  try {
    return ok(await request());
  } catch (error) {
    const fault = (kind: ProviderFault['kind']) =>
      err<ProviderFault>({ kind, message: `${rpc.url}: ${(error as Error).message}` });
    // The readers refuse with these two, and name the field.
    if (error instanceof JsonError || error instanceof RangeError) return fault('bad');
    if (error instanceof RpcClientError) return fault(kindOf(error.message));
    throw error;
  }
}

/** JSON-RPC has one code for all of these: the sentences are CometBFT's (rpc/core/env.go). */
function kindOf(message: string): ProviderFault['kind'] {
  if (/must be less than or equal to/.test(message)) return 'too-high';
  if (/is not available|there is no block yet|could not find/.test(message)) return 'not-found';
  return 'unavailable';
}

async function fetchBlock(rpc: RpcClient, height: bigint): Promise<LightBlock> {
  const answer = asObject('commit', await rpc.call('commit', height === 0n ? {} : { height: String(height) }));
  const signed = asObject('signed_header', answer.signed_header);
  const header = readHeaderJson('signed_header.header', signed.header);
  const commit = readCommitJson('signed_header.commit', signed.commit);
  const set = validatorSetFrom(await fetchValidators(rpc, header.height));
  if (!set.ok) throw new JsonError(set.error);
  return { header, commit, validators: set.value };
}

/** All pages of the set at one height. */
async function fetchValidators(rpc: RpcClient, height: bigint): Promise<readonly Validator[]> {
  const all: Validator[] = [];
  for (let page = 1; ; page++) {
    const answer = asObject(
      'validators',
      await rpc.call('validators', {
        height: String(height),
        page: String(page),
        per_page: String(RPC_LIMITS.maxPerPage),
      }),
    );
    const total = asInt64('total', answer.total);
    if (total < 1n || total > BigInt(LIMITS.maxValidators))
      throw new JsonError(`total: expected 1 … ${LIMITS.maxValidators} validators, got ${total}`);
    const shown = asArray('validators', answer.validators);
    if (shown.length === 0)
      throw new JsonError(`validators: page ${page} is empty, ${all.length} of ${total} are known`);
    for (const [i, item] of shown.entries()) all.push(readValidatorJson(`validators[${i}]`, item));
    if (BigInt(all.length) >= total) return all;
  }
}

/** Reads an untrusted answer; the error names the source and the field. */
export function readAnswer<T>(rpc: RpcClient, read: () => T): Result<T, string> {
  const value = readJson(read);
  return value.ok ? value : err(`${rpc.url}: ${value.error}`);
}
