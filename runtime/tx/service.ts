/**
 * cosmos.tx.v1beta1.Service. `Simulate` is answered by the application ({@link simulate}). `GetTx` needs the index of
 * transactions, which the application does not have: whoever serves it finds the transaction and encodes the answer with
 * {@link encodeGetTx}.
 */
import type { ExecTxResult } from '#core/abci.ts';
import { toHexUpper } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { ok, type Result } from '#core/result.ts';
import { formatTime, type Timestamp } from '#core/types/timestamp.ts';
import {
  GetTxResponseSchema,
  SimulateRequestSchema,
  SimulateResponseSchema,
} from '#proto/gen/cosmos/tx/v1beta1/service_pb.ts';
import { AuthInfoSchema, TxBodySchema, TxRawSchema, TxSchema } from '#proto/gen/cosmos/tx/v1beta1/tx_pb.ts';
import { EventSchema } from '#proto/gen/tendermint/abci/types_pb.ts';
import { create, decodeStrict, encode } from '#proto/message.ts';
import { failGrpc } from '../errors.ts';
import { RUNTIME_LIMITS } from '../limits.ts';
import type { StateBranch } from '../state/branch.ts';
import { decodeTx, type TxTypes } from './decode.ts';
import { runTx, type TxEnvironment } from './run.ts';

export const SIMULATE_PATH = '/cosmos.tx.v1beta1.Service/Simulate';
export const GET_TX_PATH = '/cosmos.tx.v1beta1.Service/GetTx';

function toProtoEvents(events: ExecTxResult['events']) {
  return events.map(({ type, attributes }) =>
    create(EventSchema, { type, attributes: attributes.map(({ key, value, index }) => ({ key, value, index })) }),
  );
}

/** The transaction's bytes, whichever of the two forms the request has. */
function txBytesOf(request: Uint8Array): Result<Uint8Array> {
  const decoded = decodeStrict(SimulateRequestSchema, request, { maxFields: RUNTIME_LIMITS.maxFields });
  if (!decoded.ok) return failGrpc('InvalidArgument', decoded.error);
  const { tx, txBytes } = decoded.value;
  if (txBytes.length > 0) return ok(txBytes);
  if (tx === undefined) return failGrpc('InvalidArgument', 'empty txBytes is not allowed');
  return ok(
    encode(TxRawSchema, {
      bodyBytes: tx.body === undefined ? new Uint8Array(0) : encode(TxBodySchema, tx.body),
      authInfoBytes: tx.authInfo === undefined ? new Uint8Array(0) : encode(AuthInfoSchema, tx.authInfo),
      signatures: tx.signatures,
    }),
  );
}

/** Runs the transaction on `state`, which the caller drops: signatures are not checked, gas is counted up to what a query may use. */
export function simulate(environment: TxEnvironment, state: StateBranch, request: Uint8Array): Result<Uint8Array> {
  const bytes = txBytesOf(request);
  if (!bytes.ok) return bytes;
  const { result, responses } = runTx(environment, state, bytes.value, 'simulate');
  if (result.code !== 0) return failGrpc('Unknown', `${result.log} with gas used: '${result.gasUsed}'`);
  return ok(
    encode(SimulateResponseSchema, {
      gasInfo: { gasWanted: result.gasWanted, gasUsed: result.gasUsed },
      result: { data: result.data, log: '', events: toProtoEvents(result.events), msgResponses: [...responses] },
    }),
  );
}

export interface FoundTx {
  readonly tx: Uint8Array;
  readonly height: bigint;
  readonly time: Timestamp;
  readonly result: ExecTxResult;
}

/** GetTxResponse of a transaction that stands in a block. Failure: its bytes are no transaction of this chain. */
export function encodeGetTx(types: TxTypes, found: FoundTx): Result<Uint8Array> {
  const decoded = decodeTx(found.tx, types);
  if (!decoded.ok) return decoded;
  const { body, authInfo, raw } = decoded.value;
  const tx = { body, authInfo, signatures: [...raw.signatures] };
  const { result } = found;
  return ok(
    encode(GetTxResponseSchema, {
      tx,
      txResponse: {
        height: found.height,
        txhash: toHexUpper(sha256(found.tx)),
        codespace: result.codespace,
        code: result.code,
        data: toHexUpper(result.data),
        rawLog: result.log,
        info: result.info,
        gasWanted: BigInt.asIntN(64, result.gasWanted),
        gasUsed: BigInt.asIntN(64, result.gasUsed),
        tx: { typeUrl: `/${TxSchema.typeName}`, value: encode(TxSchema, tx) },
        timestamp: formatTime(found.time),
        events: toProtoEvents(result.events),
      },
    }),
  );
}
