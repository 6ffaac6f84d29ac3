import { join } from 'node:path';

/** Where everything of one node lies, as in CometBFT's home folder: config/ is the operator's, data/ the node's. */
export interface HomePaths {
  readonly home: string;
  readonly config: string;
  /** Of the command line. */
  readonly clientConfig: string;
  readonly genesis: string;
  readonly nodeKey: string;
  /** Peers that the node has heard of. */
  readonly addressBook: string;
  readonly validatorKey: string;
  /** Secret of the salts of verdicts. */
  readonly dutyKey: string;
  readonly validatorState: string;
  /** Verdicts that are not final on the chain. */
  readonly duties: string;
  readonly wal: string;
  readonly blockStore: string;
  readonly state: string;
  readonly application: string;
  readonly index: string;
  /** Snapshots of the state, for others. */
  readonly snapshots: string;
  readonly keyring: string;
}

export function homePaths(home: string): HomePaths {
  const config = (name: string) => join(home, 'config', name);
  const data = (name: string) => join(home, 'data', name);
  return {
    home,
    config: config('config.toml'),
    clientConfig: config('client.toml'),
    genesis: config('genesis.json'),
    nodeKey: config('node_key.json'),
    addressBook: config('addrbook.json'),
    validatorKey: config('priv_validator_key.json'),
    dutyKey: config('duty_key.json'),
    duties: data('duties'),
    validatorState: data('priv_validator_state'),
    wal: data('cs.wal'),
    blockStore: data('blockstore.db'),
    state: data('state.db'),
    application: data('application.db'),
    index: data('tx_index.db'),
    snapshots: data('snapshots'),
    keyring: join(home, 'keyring'),
  };
}
