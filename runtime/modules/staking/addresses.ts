/** Validators' addresses in text: of their operators, and of their consensus keys. */
import type { Result } from '#core/result.ts';
import { formatAddress, parseAddress } from '../../address.ts';
import type { ChainParams } from '../../context.ts';

type Prefixed = Pick<ChainParams, 'bech32Prefix'>;

function operatorsOf({ bech32Prefix }: Prefixed): Prefixed {
  return { bech32Prefix: `${bech32Prefix}valoper` };
}

function consensusOf({ bech32Prefix }: Prefixed): Prefixed {
  return { bech32Prefix: `${bech32Prefix}valcons` };
}

/** `autonvaloper1…`: the bytes are those of the operator's account. */
export function formatOperator(chain: Prefixed, operator: Uint8Array): string {
  return formatAddress(operatorsOf(chain), operator);
}

export function parseOperator(chain: Prefixed, text: string, title: string): Result<Uint8Array> {
  return parseAddress(operatorsOf(chain), text, title);
}

/** `autonvalcons1…`. */
export function formatConsensus(chain: Prefixed, address: Uint8Array): string {
  return formatAddress(consensusOf(chain), address);
}

export function parseConsensus(chain: Prefixed, text: string, title: string): Result<Uint8Array> {
  return parseAddress(consensusOf(chain), text, title);
}
