import { parentPort } from 'node:worker_threads';
import { defined } from '#core/assert.ts';
import { NODE_LIMITS } from '../limits.ts';
import { createNativeVerifier } from './native-verifier.ts';
import { unpackChecks, type VerifyRequest, type VerifyResponse } from './verify-protocol.ts';

/** A thread behind {@link ./batch-verifier.ts}: the verdicts of the main thread's own verifier, made elsewhere. */
const port = defined(parentPort, 'the port of a worker thread');
const verifier = createNativeVerifier({ keyCacheEntries: NODE_LIMITS.verifierKeyCacheEntries });

port.on('message', ({ id, scheme, checks }: VerifyRequest) => {
  const verdicts = Uint8Array.from(unpackChecks(scheme, checks), ({ publicKey, message, signature }) =>
    verifier[scheme](publicKey, message, signature) ? 1 : 0,
  );
  const response: VerifyResponse = { id, verdicts };
  port.postMessage(response, [verdicts.buffer]);
});
