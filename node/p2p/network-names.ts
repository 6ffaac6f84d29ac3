import { toHex } from '#core/bytes.ts';

/** Names of one chain's protocols: nodes of another chain, or of another genesis, find nothing in common. */
export interface NetworkNames {
  readonly directProtocol: string;
}

/** @param genesisHash SHA-256 of the genesis document; its first 8 bytes tell two chains of one name apart. */
export function networkNames(chainId: string, genesisHash: Uint8Array): NetworkNames {
  const prefix = `/autonomy/${chainId}/${toHex(genesisHash.subarray(0, 8))}`;
  return {
    directProtocol: `${prefix}/direct/2`,
  };
}
