import type { Localnet } from '#node/localnet/localnet.ts';

/** What a step of the demonstration works with. */
export interface DemoContext {
  readonly localnet: Localnet;
  /** RPC of the first validator. */
  readonly rpcUrl: string;
  readonly faucetMnemonic: string;
  /** A line for the newcomer. */
  readonly say: (line: string) => void;
}

/** A step that did not come out as it should; the message says what was expected. */
export class DemoError extends Error {
  override readonly name = 'DemoError';
}

/** One thing that the chain can do, shown on a running local network. */
export interface DemoStep {
  readonly title: string;
  /** @throws DemoError or whatever the client library throws: the demonstration ends there. */
  run(context: DemoContext): Promise<void>;
  /** What the newcomer may try next, as command lines. */
  readonly hints?: (context: Omit<DemoContext, 'say'>) => readonly string[];
}
