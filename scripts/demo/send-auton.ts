import { DirectSecp256k1HdWallet } from '@cosmjs/proto-signing';
import { assertIsDeliverTxSuccess, GasPrice, SigningStargateClient } from '@cosmjs/stargate';
import { DemoError, type DemoStep } from './step.ts';

const AMOUNT = { denom: 'uauton', amount: '2500000' };

/** A client library that knows nothing of this chain sends coins from the faucet to a new account. */
export const sendAuton: DemoStep = {
  title: 'send 2.5 AUTON from the faucet with CosmJS',
  async run({ rpcUrl, faucetMnemonic, say }) {
    const faucet = await DirectSecp256k1HdWallet.fromMnemonic(faucetMnemonic, { prefix: 'auton' });
    const recipient = await DirectSecp256k1HdWallet.generate(12, { prefix: 'auton' });
    const [from] = await faucet.getAccounts();
    const [to] = await recipient.getAccounts();
    if (from === undefined || to === undefined) throw new DemoError('the wallets have no accounts');
    const client = await SigningStargateClient.connectWithSigner(rpcUrl, faucet, {
      gasPrice: GasPrice.fromString('0.025uauton'),
    });
    try {
      const result = await client.sendTokens(from.address, to.address, [AMOUNT], 'auto', 'hello, chain');
      assertIsDeliverTxSuccess(result);
      const balance = await client.getBalance(to.address, AMOUNT.denom);
      if (balance.amount !== AMOUNT.amount)
        throw new DemoError(`${to.address} should have ${AMOUNT.amount}${AMOUNT.denom}, has ${balance.amount}`);
      say(`tx ${result.transactionHash} in block ${result.height}, ${result.gasUsed} gas`);
      say(`${to.address} now has ${balance.amount}${balance.denom}`);
    } finally {
      client.disconnect();
    }
  },
};
