import { join } from 'node:path';
import { toBase64 } from '#core/bytes.ts';
import { type AccountKeyPair, bech32Address, keyFromMnemonic, newMnemonic } from '#core/crypto/keys.ts';
import { ed25519Key } from '#core/crypto/pubkey.ts';
import { err, ok, type Result } from '#core/result.ts';
import { fromMillis } from '#core/types/timestamp.ts';
import { buildGenesis, type GenesisPlan } from '#genesis/builder.ts';
import { formatGenesis, type GenesisDocument } from '#genesis/document.ts';
import { chainOf, type StakedValidator, stakeValidators } from '#genesis/edit.ts';
import type { ConfigValues } from '../config/config.ts';
import { openKeyring } from '../keyring/keyring.ts';
import { DEFAULT_COMMISSION, makeGentx, readGentx } from './gentx.ts';
import { type HomeKeys, prepareHome, writeHomeFiles } from './home.ts';

export interface NetworkPlan {
  /** One folder below it for each node, and the faucet's keyring. */
  readonly folder: string;
  readonly chainId: string;
  readonly validators: number;
  /** Nodes that follow the chain without a vote. */
  readonly fullNodes?: number;
  /** Where node `i` listens, on loopback. */
  readonly ports: readonly NodePorts[];
  /** Settings of every node's config.toml. */
  readonly config: ConfigValues;
  /**
   * The operators stake for their validators, by the transactions of the genesis ceremony. Otherwise the set is the
   * document's and never changes.
   */
  readonly staked?: boolean;
  /** Of nodes that go to machines of their own. Default: all are on this one, each in a folder below `folder`. */
  readonly layout?: NetworkLayout;
  /** Further parts of the genesis document; a function where they depend on the network's keys. */
  readonly genesis?: GenesisParts | ((keys: NetworkKeys) => GenesisParts) | undefined;
}

export interface NetworkLayout {
  name(i: number): string;
  home(i: number): string;
  /** Where the others reach it. */
  host(i: number): string;
  /** Address that its RPC is bound to. */
  readonly rpcHost: string;
}

export type GenesisParts = Partial<Pick<GenesisPlan, 'moduleState' | 'consensusParams' | 'accounts'>>;

export interface NetworkKeys {
  /** ed25519, of each node: validators first. Those that follow have one too, should they become validators. */
  readonly validatorKeys: readonly Uint8Array[];
  /** Of each validator. */
  readonly operators: readonly NetworkAccount[];
}

export interface NodePorts {
  readonly rpc: number;
  readonly p2p: number;
}

export interface NetworkNode {
  readonly name: string;
  readonly home: string;
  readonly nodeId: string;
  readonly ports: NodePorts;
  readonly rpcUrl: string;
}

/** An account whose key is in the network's keyring. */
export interface NetworkAccount {
  readonly name: string;
  readonly address: string;
}

export interface Network {
  readonly folder: string;
  readonly chainId: string;
  readonly nodes: readonly NetworkNode[];
  readonly faucet: { readonly name: string; readonly mnemonic: string; readonly address: string };
  /** Serves models; has coins to bond. */
  readonly provider: NetworkAccount;
  /** What each validator's work is paid to. */
  readonly operators: readonly NetworkAccount[];
}

export const DOCUMENTED_BASE_PORT = 26_656;

/** Ports of the nodes of a local network as documented: RPC 26657, 26667, …; peer-to-peer 26656, 26666, … */
export function documentedPorts(count: number, base = DOCUMENTED_BASE_PORT): NodePorts[] {
  return Array.from({ length: count }, (_, i) => ({ rpc: base + 1 + 10 * i, p2p: base + 10 * i }));
}

/** What the faucet has, in uauton: a hundred million AUTON. */
const FAUCET_FUNDS = 100_000_000_000_000n;
const PREFIX = 'auton';
const VALIDATOR_POWER = 10n;
/** What each operator stakes, in uauton: {@link VALIDATOR_POWER} of power. */
const STAKE = 10_000_000n;
/** What it has besides, to pay fees with. */
const OPERATOR_FUNDS = 10_000_000n;
/** A thousand AUTON. */
const PROVIDER_FUNDS = 1_000_000_000n;

/** Makes the homes of a new network: keys, genesis with a funded faucet, configuration that connects all with all. */
export async function generateNetwork(plan: NetworkPlan): Promise<Result<Network, string>> {
  const count = plan.validators + (plan.fullNodes ?? 0);
  if (plan.ports.length !== count) return err(`expected ports for ${count} nodes, got ${plan.ports.length}`);
  const keys: HomeKeys[] = [];
  const layout = plan.layout ?? onThisMachine(plan);
  for (let i = 0; i < count; i++) keys.push(await prepareHome(layout.home(i)));
  const mnemonic = newMnemonic();
  const faucetKey = keyFromMnemonic(mnemonic);
  const faucet = { name: 'faucet', mnemonic, address: bech32Address(faucetKey.publicKey, PREFIX) };
  const provider = newAccount('provider');
  const operators = keys.slice(0, plan.validators).map((_, i) => newAccount(`operator${i}`));
  const nodes = keys.map(({ paths, nodeId }, i): NetworkNode => {
    const ports = plan.ports[i] as NodePorts;
    return {
      name: layout.name(i),
      home: paths.home,
      nodeId,
      ports,
      rpcUrl: `http://${layout.host(i)}:${ports.rpc}`,
    };
  });
  const genesis = genesisOf(plan, { keys, nodes, operators, funded: [faucet, provider] });
  if (!genesis.ok) return genesis;
  const document = formatGenesis(genesis.value);
  for (const [i, { paths }] of keys.entries()) await writeHomeFiles(paths, configOf(plan, nodes, i), document);
  const keyringOf = (folder: string) =>
    openKeyring({ backend: 'test', folder: join(folder, 'keyring-test') }, { password: async () => '' });
  // An operator's key goes where his node goes.
  const own = operators.map((operator, i) => ({ ...operator, at: plan.layout?.home(i) ?? plan.folder }));
  const shared = [{ name: faucet.name, key: faucetKey }, provider].map((key) => ({ ...key, at: plan.folder }));
  for (const { name, key, at } of [...shared, ...own]) {
    const added = await keyringOf(at).add(name, key.privateKey);
    if (!added.ok) return added;
  }
  return ok({ folder: plan.folder, chainId: plan.chainId, nodes, faucet, provider, operators });
}

interface GenesisInput {
  readonly keys: readonly HomeKeys[];
  readonly nodes: readonly NetworkNode[];
  readonly operators: readonly OperatorAccount[];
  /** Faucet and provider. */
  readonly funded: readonly [NetworkAccount, NetworkAccount];
}

type OperatorAccount = NetworkAccount & { readonly key: AccountKeyPair };

function genesisOf(plan: NetworkPlan, input: GenesisInput): Result<GenesisDocument, string> {
  const { keys, nodes, operators, funded } = input;
  const validatorKeys = keys.map(({ validator }) => validator.publicKey);
  const parts = typeof plan.genesis === 'function' ? plan.genesis({ validatorKeys, operators }) : plan.genesis;
  const uauton = (address: string, amount: bigint) => ({ address, coins: [{ denom: 'uauton', amount }] });
  const built = buildGenesis({
    chainId: plan.chainId,
    genesisTime: fromMillis(BigInt(Date.now())),
    validators: operators.map((_, i) => ({
      publicKey: ed25519Key(validatorKeys[i] as Uint8Array),
      power: VALIDATOR_POWER,
      name: nodes[i]?.name ?? '',
    })),
    ...parts,
    moduleState: {
      poi: {
        operators: operators.map(({ address }, i) => ({
          pub_key: toBase64(validatorKeys[i] as Uint8Array),
          account: address,
        })),
      },
      ...parts?.moduleState,
    },
    accounts: [
      uauton(funded[0].address, FAUCET_FUNDS),
      uauton(funded[1].address, PROVIDER_FUNDS),
      ...(plan.staked === true ? operators.map(({ address }) => uauton(address, STAKE + OPERATOR_FUNDS)) : []),
      ...(parts?.accounts ?? []),
    ],
  });
  return built.ok && plan.staked === true ? staked(built.value, input) : built;
}

/** The same way that the operators of a public chain go: each makes its transaction, and one collects them. */
function staked(document: GenesisDocument, { keys, nodes, operators }: GenesisInput): Result<GenesisDocument, string> {
  const chain = chainOf(document);
  if (!chain.ok) return chain;
  const validators: StakedValidator[] = [];
  for (const [i, { key }] of operators.entries()) {
    const node = nodes[i] as NetworkNode;
    const gentx = makeGentx({
      chain: chain.value,
      operator: key,
      validatorKey: ed25519Key((keys[i] as HomeKeys).validator.publicKey),
      moniker: node.name,
      stake: { denom: 'uauton', amount: STAKE },
      commission: DEFAULT_COMMISSION,
      minSelfDelegation: 1n,
      peer: peerOf(node),
    });
    const read = gentx.ok ? readGentx(gentx.value, chain.value) : gentx;
    if (!read.ok) return read;
    validators.push(read.value.validator);
  }
  return stakeValidators(document, validators);
}

function newAccount(name: string): OperatorAccount {
  const key = keyFromMnemonic(newMnemonic());
  return { name, address: bech32Address(key.publicKey, PREFIX), key };
}

function nodeName(i: number, validators: number): string {
  return i < validators ? `validator${i}` : `node${i - validators}`;
}

const LOOPBACK = '127.0.0.1';

function onThisMachine({ folder, validators }: NetworkPlan): NetworkLayout {
  const name = (i: number) => nodeName(i, validators);
  return { name, home: (i) => join(folder, name(i)), host: () => LOOPBACK, rpcHost: LOOPBACK };
}

/** `id@host:port`, where the others reach it. */
export function peerOf({ nodeId, rpcUrl, ports }: NetworkNode): string {
  return `${nodeId}@${new URL(rpcUrl).hostname}:${ports.p2p}`;
}

function configOf(plan: NetworkPlan, nodes: readonly NetworkNode[], i: number): ConfigValues {
  const here = nodes[i] as NetworkNode;
  if (plan.layout !== undefined && plan.layout.host(i) !== LOOPBACK)
    return {
      moniker: here.name,
      'rpc.laddr': `tcp://${plan.layout.rpcHost}:${here.ports.rpc}`,
      'p2p.laddr': `tcp://0.0.0.0:${here.ports.p2p}`,
      'p2p.persistent_peers': nodes
        .filter((other) => other !== here)
        .map(peerOf)
        .join(','),
      // Addresses of a private network are to be kept.
      'p2p.addr_book_strict': false,
      ...plan.config,
    };
  return {
    moniker: here.name,
    'rpc.laddr': `tcp://${plan.layout?.rpcHost ?? LOOPBACK}:${here.ports.rpc}`,
    'p2p.laddr': `tcp://${LOOPBACK}:${here.ports.p2p}`,
    // Each dials those before it: one connection a pair.
    'p2p.persistent_peers': nodes.slice(0, i).map(peerOf).join(','),
    ...plan.config,
  };
}
