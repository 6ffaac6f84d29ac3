import { DirectSecp256k1HdWallet } from '@cosmjs/proto-signing';
import { GasPrice, SigningStargateClient } from '@cosmjs/stargate';
import type { TestNetwork, TestNode } from './network.ts';

export interface Wallet {
  readonly address: string;
  readonly client: SigningStargateClient;
}

/** An unmodified CosmJS client that signs with `mnemonic`, or with a new key. */
export async function connectWallet(node: TestNode, mnemonic?: string): Promise<Wallet> {
  const signer =
    mnemonic === undefined
      ? await DirectSecp256k1HdWallet.generate(12, { prefix: 'auton' })
      : await DirectSecp256k1HdWallet.fromMnemonic(mnemonic, { prefix: 'auton' });
  const [account] = await signer.getAccounts();
  if (account === undefined) throw new Error('the wallet has no account');
  const client = await SigningStargateClient.connectWithSigner(node.rpcUrl, signer, {
    gasPrice: GasPrice.fromString('0.025uauton'),
    broadcastPollIntervalMs: 200,
  });
  return { address: account.address, client };
}

export function connectFaucet({ network }: TestNetwork, node: TestNode): Promise<Wallet> {
  return connectWallet(node, network.faucet.mnemonic);
}
