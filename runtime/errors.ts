/** Failures with the Cosmos SDK's sentences: `<detail>: <sentence of the code>`, which wallets match on. */
import { type SdkError, sdkError } from '#core/errors.ts';
import { err, type Failure } from '#core/result.ts';

/** types/errors/errors.go of v0.50: what each registered code says. */
const SENTENCES: Partial<Record<SdkError, string>> = {
  txDecode: 'tx parse error',
  invalidSequence: 'invalid sequence',
  unauthorized: 'unauthorized',
  insufficientFunds: 'insufficient funds',
  unknownRequest: 'unknown request',
  invalidAddress: 'invalid address',
  invalidPubKey: 'invalid pubkey',
  unknownAddress: 'unknown address',
  invalidCoins: 'invalid coins',
  outOfGas: 'out of gas',
  memoTooLarge: 'memo too large',
  insufficientFee: 'insufficient fee',
  maxSignaturesExceeded: 'maximum number of signatures exceeded',
  noSignatures: 'no signatures supplied',
  invalidRequest: 'invalid request',
  txTooLarge: 'tx too large',
  keyNotFound: 'key not found',
  invalidSignerInfo: 'invalid signer info',
  txTimeoutHeight: 'tx timeout height',
  unknownExtensionOptions: 'unknown extension options',
  wrongSequence: 'incorrect account sequence',
  unpackAny: 'failed unpacking protobuf message from Any',
  logic: 'internal logic error',
  conflict: 'conflict',
  notSupported: 'feature not supported',
  notFound: 'not found',
  invalidGasLimit: 'invalid gas limit',
  invalidHeight: 'invalid height',
  invalidVersion: 'invalid version',
  invalidChainId: 'invalid chain-id',
  invalidType: 'invalid type',
};

export function sdkFailure(kind: SdkError, detail: string): Failure {
  return sdkError(kind, `${detail}: ${SENTENCES[kind] ?? kind}`);
}

export function failSdk(kind: SdkError, detail: string): { readonly ok: false; readonly error: Failure } {
  return err(sdkFailure(kind, detail));
}

export type GrpcStatus =
  | 'NotFound'
  | 'ResourceExhausted'
  | 'InvalidArgument'
  | 'Unknown'
  | 'Unimplemented'
  | 'FailedPrecondition';

const KIND_OF_STATUS: Record<GrpcStatus, SdkError> = {
  NotFound: 'keyNotFound',
  InvalidArgument: 'invalidRequest',
  FailedPrecondition: 'invalidRequest',
  ResourceExhausted: 'unknownRequest',
  Unknown: 'unknownRequest',
  Unimplemented: 'unknownRequest',
};

/** A query's failure as baseapp reports a gRPC status (gRPCErrorToSDKError): clients look for `rpc error: code = …`. */
export function grpcFailure(status: GrpcStatus, description: string): Failure {
  return sdkFailure(KIND_OF_STATUS[status], `rpc error: code = ${status} desc = ${description}`);
}

export function failGrpc(status: GrpcStatus, description: string): { readonly ok: false; readonly error: Failure } {
  return err(grpcFailure(status, description));
}
