import { QueryParamsRequestSchema, QueryParamsResponseSchema } from '#proto/gen/autonomy/models/v1/query_pb.ts';
import type { ChainClient } from './chain-client.ts';

/** For a byte of the transaction, and for writing one to the store. */
const TX_GAS_PER_BYTE = 10n;
const WRITE_GAS_PER_BYTE = 30n;
/** Signature, records, and what else a registration does. */
const FIXED_GAS = 250_000n;

/**
 * Gas of a registration with a component of so many bytes. Not simulated: `abci_query` carries hex, and twice the size of
 * a large component is more than servers take.
 */
export async function registrationGas(chain: ChainClient, componentBytes: number): Promise<bigint> {
  const path = '/autonomy.models.v1.Query/Params';
  const { params } = await chain.query(path, QueryParamsRequestSchema, {}, QueryParamsResponseSchema);
  const perByte = TX_GAS_PER_BYTE + WRITE_GAS_PER_BYTE + (params?.admissionGasPerByte ?? 0n);
  return BigInt(componentBytes) * perByte + FIXED_GAS;
}
