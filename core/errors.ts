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
    duplicateEntry: 8,
    multipleSenders: 9,
  },
  /** x/feegrant/errors.go of v0.50. */
  feegrant: {
    feeLimitExceeded: 2,
    feeLimitExpired: 3,
    invalidDuration: 4,
    noAllowance: 5,
    noMessages: 6,
    messageNotAllowed: 7,
  },
  /** x/authz/errors.go of v0.50. */
  authz: {
    noAuthorizationFound: 2,
    invalidExpirationTime: 3,
    unknownAuthorizationType: 4,
    noGrantKeyFound: 5,
    authorizationExpired: 6,
    granteeIsGranter: 7,
    authorizationNumOfSigners: 9,
    negativeMaxTokens: 12,
  },
  /** x/staking/types/errors.go of v0.50. */
  staking: {
    noValidatorFound: 3,
    validatorOwnerExists: 4,
    validatorPubKeyExists: 5,
    validatorPubKeyTypeNotSupported: 6,
    validatorJailed: 7,
    commissionNegative: 9,
    commissionHuge: 10,
    commissionGtMaxRate: 11,
    commissionUpdateTime: 12,
    commissionChangeRateNegative: 13,
    commissionChangeRateGtMaxRate: 14,
    commissionGtMaxChangeRate: 15,
    selfDelegationBelowMinimum: 16,
    minSelfDelegationDecreased: 17,
    noDelegation: 19,
    noDelegatorForAddress: 21,
    insufficientShares: 22,
    notEnoughDelegationShares: 24,
    noUnbondingDelegation: 26,
    maxUnbondingDelegationEntries: 27,
    selfRedelegation: 29,
    tinyRedelegationAmount: 30,
    badRedelegationDst: 31,
    transitiveRedelegation: 32,
    maxRedelegationEntries: 33,
    delegatorShareExRateInvalid: 34,
    noHistoricalInfo: 38,
    emptyValidatorPubKey: 39,
    commissionLtMinRate: 40,
  },
  /** x/distribution/types/errors.go of v0.50. */
  distribution: {
    noDelegationDistInfo: 5,
    noValidatorDistInfo: 6,
    noValidatorCommission: 7,
    setWithdrawAddrDisabled: 8,
    badDistribution: 9,
    noValidatorExists: 12,
    noDelegationExists: 13,
  },
  /** x/slashing/types/errors.go of v0.50. */
  slashing: {
    noValidatorForAddress: 2,
    badValidatorAddr: 3,
    validatorJailed: 4,
    validatorNotJailed: 5,
    missingSelfDelegation: 6,
    selfDelegationTooLowToUnjail: 7,
    noSigningInfoFound: 8,
    validatorTombstoned: 9,
  },
  /** x/evidence/types/errors.go of v0.50. */
  evidence: { noEvidenceHandlerExists: 2, invalidEvidence: 3, evidenceExists: 5 },
  /** Buying compute credits. */
  credits: {
    /** The amount buys no whole credit. */
    tooLittle: 2,
    /** Fewer credits than the buyer asked for at least. */
    belowMinimum: 3,
  },
  /** Registering a model. From 10 on: why its component is refused, as in the `vm` codespace. */
  models: {
    notFound: 2,
    /** A name, description, licence, price or gas limit outside its bounds. */
    badMetadata: 3,
    componentTooLarge: 4,
    componentMalformed: 10,
    componentInvalid: 11,
    componentUnsupported: 12,
    componentLimit: 13,
    componentTemplate: 14,
    componentInterface: 15,
  },
  /** Requesting, sealing and opening an inference. */
  inference: {
    jobNotFound: 2,
    providerNotFound: 3,
    /** The provider's free bond does not cover it. */
    bondTooSmall: 4,
    inputTooLarge: 5,
    badGasLimit: 6,
    feeTooLow: 7,
    badDeadline: 8,
    tooManyJobs: 9,
    /** The job is not in the status in which this is done. */
    wrongStatus: 10,
    notItsProvider: 11,
    /** A seal, salt, root or outcome that is not well-formed. */
    malformedResult: 12,
    /** What is opened is not what was sealed. */
    sealMismatch: 13,
    outputTooLarge: 14,
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

export type FeegrantError = keyof typeof ERRORS.feegrant;
export type AuthzError = keyof typeof ERRORS.authz;

export function feegrantError(kind: FeegrantError, message: string): Failure {
  return { codespace: 'feegrant', code: ERRORS.feegrant[kind], message };
}

export function authzError(kind: AuthzError, message: string): Failure {
  return { codespace: 'authz', code: ERRORS.authz[kind], message };
}

export type CreditsError = keyof typeof ERRORS.credits;
export type ModelsError = keyof typeof ERRORS.models;
export type InferenceError = keyof typeof ERRORS.inference;

export function creditsError(kind: CreditsError, message: string): Failure {
  return { codespace: 'credits', code: ERRORS.credits[kind], message };
}

export function modelsError(kind: ModelsError, message: string): Failure {
  return { codespace: 'models', code: ERRORS.models[kind], message };
}

export function inferenceError(kind: InferenceError, message: string): Failure {
  return { codespace: 'inference', code: ERRORS.inference[kind], message };
}
