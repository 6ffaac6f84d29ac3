import { EMPTY, fromUtf8 } from '#core/bytes.ts';
import { ok } from '#core/result.ts';
import { RPC_LIMITS } from '../limits.ts';
import { base64 } from './json/reader.ts';
import { infoJson, queryResponseJson } from './json/results.ts';
import { consensusStateJson, dumpConsensusStateJson, netInfoJson, statusJson } from './json/status.ts';
import { boolean, hexBytes, int64, optional, text } from './params.ts';
import { invalid, mapAnswer, type Route, route } from './route.ts';

const genesis = route({}, (backend) => {
  const document = backend.genesis();
  if (document.length > RPC_LIMITS.genesisChunkBytes)
    return invalid('genesis response is large, please use the genesis_chunked API instead');
  return ok({ genesis: JSON.parse(fromUtf8(document)) });
});

const genesisChunked = route({ chunk: optional(int64, 0n) }, (backend, { chunk }) => {
  const document = backend.genesis();
  const total = Math.max(1, Math.ceil(document.length / RPC_LIMITS.genesisChunkBytes));
  if (chunk < 0n || chunk >= BigInt(total))
    return invalid(`there are ${total} chunks, from 0 to ${total - 1}, but ${chunk} was asked for`);
  const from = Number(chunk) * RPC_LIMITS.genesisChunkBytes;
  const data = base64(document.subarray(from, from + RPC_LIMITS.genesisChunkBytes));
  return ok({ chunk: String(chunk), total: String(total), data });
});

const abciQuery = route(
  {
    path: optional(text, ''),
    data: optional(hexBytes, EMPTY),
    height: optional(int64, 0n),
    prove: optional(boolean, false),
  },
  async (backend, args) => {
    if (args.path.length > RPC_LIMITS.maxQueryPathChars)
      return invalid(`path: ${args.path.length} characters exceed the limit of ${RPC_LIMITS.maxQueryPathChars}`);
    if (args.data.length > RPC_LIMITS.maxQueryDataBytes)
      return invalid(`data: ${args.data.length} bytes exceed the limit of ${RPC_LIMITS.maxQueryDataBytes}`);
    if (args.height < 0n) return invalid(`height: expected 0 (the newest) or above, got ${args.height}`);
    return mapAnswer(await backend.query(args), (response) => ({ response: queryResponseJson(response) }));
  },
);

export const nodeRoutes: Readonly<Record<string, Route>> = {
  abci_info: route({}, (backend) => ok({ response: infoJson(backend.appInfo()) })),
  abci_query: abciQuery,
  consensus_state: route({}, (backend) => mapAnswer(backend.consensusState(), consensusStateJson)),
  dump_consensus_state: route({}, (backend) => mapAnswer(backend.consensusState(), dumpConsensusStateJson)),
  genesis,
  genesis_chunked: genesisChunked,
  health: route({}, () => ok({})),
  net_info: route({}, (backend) => ok(netInfoJson(backend.netInfo(), () => backend.status().node))),
  status: route({}, (backend) => ok(statusJson(backend.status()))),
};
