/**
 * A validator that sends a second, contradicting vote to one of its peers: `node double-signing-node.ts <home>`. While
 * there is a file `honest` in its home, it does not.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseGenesis } from '#genesis/document.ts';
import { homePaths } from '#node/config/home.ts';
import { readValidatorKey } from '#node/privval/key-files.ts';
import { contradiction } from '../../sim/byzantine.ts';
import { runComposition } from './composition.ts';

await runComposition(async (home) => {
  const paths = homePaths(home);
  const key = await readValidatorKey(paths.validatorKey);
  const genesis = parseGenesis(await readFile(paths.genesis, 'utf8'));
  if (key === undefined || !genesis.ok) throw new Error('a validator key and a genesis document');
  const { chainId } = genesis.value;
  return {
    // The guard of its signer sees nothing of it: the second signature is made with the bare key.
    host: (own) => ({
      ...own,
      publish(bytes) {
        own.publish(bytes);
        if (existsSync(join(home, 'honest'))) return;
        const second = contradiction(key, chainId, bytes, { below: () => 7 });
        const [peer] = own.peers();
        if (second !== undefined && peer !== undefined) own.send(peer.id, second);
      },
    }),
  };
});
