/** What was recorded of CometBFT; recordings/README.md says how. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { FinalizeBlockResponse, InfoResponse, InitChainResponse } from '#core/abci.ts';
import type { GrammarCall } from '#core/abci-grammar.ts';
import { fromBase64, toHex } from '#core/bytes.ts';
import { toHeight } from '#core/types/brand.ts';
import { type AbciRequest, decodeRequest } from '#node/abci/requests.ts';
import { ResponseSchema } from '#proto/gen/tendermint/abci/types_pb.ts';
import { decodeStrict } from '#proto/message.ts';

const place = (name: string) => new URL(`recordings/${name}.jsonl.gz`, import.meta.url);

function readLines(name: string): readonly Record<string, unknown>[] {
  const text = gunzipSync(readFileSync(place(name))).toString('utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

export interface Exchange {
  readonly connection: number;
  readonly call: string;
  readonly request: AbciRequest;
  readonly requestBytes: Uint8Array;
  readonly response: Uint8Array;
}

/** The exchanges of one run of a node, in the order of their answers. */
export function readExchanges(name: string): readonly Exchange[] {
  return readLines(name).map((line, i) => {
    const requestBytes = fromBase64(line.request as string);
    const request = decodeRequest(requestBytes);
    if (!request.ok) throw new Error(`${name} line ${i + 1}: ${request.error}`);
    const { connection, call } = line as { connection: number; call: string };
    return { connection, call, request: request.value, requestBytes, response: fromBase64(line.response as string) };
  });
}

export interface RecordedBlock {
  readonly height: bigint;
  /** tendermint.types.Block as CometBFT stores it. */
  readonly block: Uint8Array;
  readonly response: FinalizeBlockResponse;
  /** tendermint.types.ExtendedCommit for the block, as validator0 saw it. */
  readonly extendedCommit: Uint8Array;
}

/** The chain's blocks with what the application answered to FinalizeBlock when it was made. */
export function readBlocks(): readonly RecordedBlock[] {
  return readLines('blocks').map((line) => {
    const { height, ...encoded } = line as Record<'block' | 'response' | 'extendedCommit', string> & { height: number };
    return {
      height: BigInt(height),
      block: fromBase64(encoded.block),
      response: finalizeResponse(fromBase64(encoded.response)),
      extendedCommit: fromBase64(encoded.extendedCommit),
    };
  });
}

function responseOf(bytes: Uint8Array) {
  const decoded = decodeStrict(ResponseSchema, bytes);
  if (!decoded.ok) throw new Error(decoded.error);
  return decoded.value.value;
}

function finalizeResponse(bytes: Uint8Array): FinalizeBlockResponse {
  const answer = responseOf(bytes);
  if (answer.case !== 'finalizeBlock') throw new Error(`expected finalizeBlock, got ${answer.case}`);
  const { events, txResults, validatorUpdates, consensusParamUpdates, appHash } = answer.value;
  if (validatorUpdates.length > 0 || consensusParamUpdates !== undefined)
    throw new Error('the recording has no updates');
  return { events, txResults, validatorUpdates: [], consensusParamUpdates: undefined, appHash };
}

export function initChainResponse(bytes: Uint8Array): InitChainResponse {
  const answer = responseOf(bytes);
  if (answer.case !== 'initChain') throw new Error(`expected initChain, got ${answer.case}`);
  return { consensusParams: undefined, validators: [], appHash: answer.value.appHash };
}

/**
 * What of an encoded response stays the same when costs of gas, events or the layout of the state change: verdicts,
 * codes, chosen transactions, extensions, heights. Changes of the validators are not of these: whether one
 * is put out for its evidence is for the state machine to say.
 */
export function lasting(bytes: Uint8Array): unknown {
  const { case: kind, value } = responseOf(bytes);
  switch (kind) {
    case 'info':
      return { kind, height: value.lastBlockHeight };
    case 'query':
      return { kind, code: value.code, codespace: value.codespace };
    case 'checkTx':
      return { kind, code: value.code, codespace: value.codespace, gasWanted: value.gasWanted };
    case 'finalizeBlock':
      return {
        kind,
        results: value.txResults.map(({ code, codespace, data, gasWanted }) => [
          code,
          codespace,
          toHex(data),
          gasWanted,
        ]),
      };
    case 'prepareProposal':
      return { kind, txs: value.txs.map(toHex) };
    case 'processProposal':
    case 'verifyVoteExtension':
      return { kind, status: value.status };
    case 'extendVote':
      return { kind, extension: toHex(value.voteExtension) };
    default:
      return { kind };
  }
}

export function infoResponse(bytes: Uint8Array): InfoResponse {
  const answer = responseOf(bytes);
  if (answer.case !== 'info') throw new Error(`expected info, got ${answer.case}`);
  const { data, version, appVersion, lastBlockHeight, lastBlockAppHash } = answer.value;
  return { data, version, appVersion, lastBlockHeight: toHeight(lastBlockHeight), lastBlockAppHash };
}

/** The extension in an encoded ExtendVote response. */
export function extensionIn(bytes: Uint8Array): Uint8Array {
  const answer = responseOf(bytes);
  if (answer.case !== 'extendVote') throw new Error(`expected extendVote, got ${answer.case}`);
  return answer.value.voteExtension;
}

/** As the grammar sees it; undefined for calls that may come at any time. */
export function grammarCall({ request, response }: Exchange): GrammarCall | undefined {
  switch (request.kind) {
    case 'info':
      return { kind: 'info', lastBlockHeight: infoResponse(response).lastBlockHeight };
    case 'init-chain':
      return { kind: 'init-chain', initialHeight: request.request.initialHeight };
    case 'commit':
    case 'offer-snapshot':
    case 'apply-snapshot-chunk':
      return { kind: request.kind };
    case 'prepare-proposal':
    case 'process-proposal':
    case 'extend-vote':
    case 'verify-vote-extension':
    case 'finalize-block':
      return { kind: request.kind, height: request.request.height };
    default:
      return undefined;
  }
}
