import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id';
import { toHex } from '#core/bytes.ts';
import { consensusAddress, ed25519Key } from '#core/crypto/pubkey.ts';

/** libp2p peer id of a node key. @param seed 32 bytes of ed25519. */
export async function nodeIdOf(seed: Uint8Array): Promise<string> {
  return peerIdFromPrivateKey(await generateKeyPairFromSeed('Ed25519', seed)).toString();
}

/**
 * CometBFT's id of the same node (p2p/key.go PubKeyToID): 40 hex digits. Clients of its RPC read ids as hex. Empty when
 * the peer id does not carry an ed25519 key.
 */
export function cometIdOf(peerId: string): string {
  const { publicKey } = peerIdFromString(peerId);
  return publicKey?.type === 'Ed25519' ? toHex(consensusAddress(ed25519Key(publicKey.raw))) : '';
}
