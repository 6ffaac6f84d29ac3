import type { Failure } from './result.ts';

/**
 * The registered error table: one number for each kind of refusal, for ever. The `sdk` codespace keeps the numbers of
 * the Cosmos SDK (types/errors/errors.go, v0.50), because wallets read them.
 */
export const ERRORS = {
  sdk: {
    txDecode: 2,
    invalidSequence: 3,
    unauthorized: 4,
    insufficientFunds: 5,
    unknownRequest: 6,
    invalidAddress: 7,
    invalidPubKey: 8,
    unknownAddress: 9,
    invalidCoins: 10,
    outOfGas: 11,
    memoTooLarge: 12,
    insufficientFee: 13,
    maxSignaturesExceeded: 14,
    noSignatures: 15,
    invalidRequest: 18,
    txInMempoolCache: 19,
    mempoolIsFull: 20,
    txTooLarge: 21,
    keyNotFound: 22,
    invalidSignerInfo: 24,
    txTimeoutHeight: 30,
    unknownExtensionOptions: 31,
    wrongSequence: 32,
    packAny: 33,
    unpackAny: 34,
    logic: 35,
    conflict: 36,
    notSupported: 37,
    notFound: 38,
    io: 39,
    invalidGasLimit: 41,
    invalidHeight: 26,
    invalidVersion: 27,
    invalidChainId: 28,
    invalidType: 29,
  },
  /** x/bank/types/errors.go of v0.50. */
  bank: {
    noInputs: 2,
    noOutputs: 3,
    inputOutputMismatch: 4,
    sendDisabled: 5,
    denomMetadataNotFound: 6,
    multipleSenders: 9,
  },
  /** Why a module or component is refused (`vm/`). */
  vm: {
    /** The bytes do not parse. */
    malformed: 1,
    /** A rule of WebAssembly validation is broken. */
    invalid: 2,
    /** A feature of WebAssembly that models may not use. */
    unsupported: 3,
    /** A named limit of `vm/limits.ts` is exceeded. */
    limit: 4,
    /** Not the pinned component template. */
    template: 5,
    /** The core module's exports are not those of the model ABI. */
    interface: 6,
    /** `describe` did not return a string. */
    describe: 7,
    /** This machine could not answer; another one can. Never a verdict. */
    hostFault: 8,
  },
} as const;

export type SdkError = keyof typeof ERRORS.sdk;

/** A failure of the `sdk` codespace. `message` says what was wrong and what was expected. */
export function sdkError(kind: SdkError, message: string): Failure {
  return { codespace: 'sdk', code: ERRORS.sdk[kind], message };
}

export type VmError = keyof typeof ERRORS.vm;

/** A failure of the `vm` codespace. `message` says what was wrong and what was expected. */
export function vmError(kind: VmError, message: string): Failure {
  return { codespace: 'vm', code: ERRORS.vm[kind], message };
}
