import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { parseDuration } from '../../config/duration.ts';
import { DOCUMENTED_BASE_PORT, documentedPorts, generateNetwork, peerOf } from '../../localnet/network.ts';
import {
  CliError,
  createOutput,
  type OutputFlags,
  orFail,
  outputOption,
  wholeNumber,
  withOptions,
} from '../context.ts';

interface Flags extends OutputFlags {
  readonly validators: number;
  readonly outputDir: string;
  readonly chainId?: string;
  readonly nodeDirPrefix: string;
  readonly nodeDaemonHome: string;
  readonly startingIpAddress: string;
  readonly singleHost: boolean;
  readonly basePort: number;
  readonly rpcHost: string;
  readonly minimumGasPrices: string;
  readonly commitTimeout: string;
}

const MAX_VALIDATORS = 100;
const LOOPBACK = '127.0.0.1';

function ipv4(text: string): string {
  const parts = text.split('.');
  const isAddress = parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256);
  if (!isAddress) throw new InvalidArgumentError('expected an IPv4 address such as 192.168.0.1');
  return text;
}

function folderName(text: string): string {
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(text) || /^\.+$/.test(text))
    throw new InvalidArgumentError('expected letters, digits, ".", "_" and "-"');
  return text;
}

function duration(text: string): string {
  const read = parseDuration(text);
  if (!read.ok) throw new InvalidArgumentError(read.error);
  return text;
}

/** The address `i` places behind another, in the same network of 256. */
function addressAt(first: string, i: number): string {
  const at = first.lastIndexOf('.');
  const last = Number(first.slice(at + 1)) + i;
  if (last > 254) throw new CliError(`--starting-ip-address: ${first} leaves no room for so many validators`);
  return `${first.slice(0, at)}.${last}`;
}

const initOptions = (): Option[] => [
  new Option('--v, --validators <count>', 'number of validators').argParser(wholeNumber(1, MAX_VALIDATORS)).default(4),
  new Option('--output-dir <folder>', 'where the homes go, new or empty').default('./.testnets'),
  new Option('--chain-id <id>', 'by default one at random'),
  new Option('--node-dir-prefix <name>', 'folders are named so, and numbered').argParser(folderName).default('node'),
  new Option('--node-daemon-home <name>', 'the home in the folder of a node').argParser(folderName).default('autond'),
  new Option('--starting-ip-address <address>', 'of the first node; the next ones follow')
    .argParser(ipv4)
    .default('192.168.0.1'),
  new Option('--single-host', 'all on this machine, on ports that differ').default(false),
  new Option('--base-port <port>', 'peer-to-peer port; RPC is one above; with --single-host the next node ten')
    .argParser(wholeNumber(1_024, 64_000))
    .default(DOCUMENTED_BASE_PORT),
  new Option('--rpc-host <address>', 'address that the RPC is bound to').argParser(ipv4).default(LOOPBACK),
  new Option('--minimum-gas-prices <prices>', 'cheapest gas that the nodes take').default(''),
  new Option('--commit-timeout <duration>', 'time between blocks').argParser(duration).default('1s'),
];

export function testnetCommand(): Command {
  const init = new Command('init-files').description(
    'make the homes of a network of validators, to be carried to their machines: keys, genesis, configuration, peers',
  );
  withOptions(init, [...initOptions(), outputOption()]).action(initFiles);
  return new Command('testnet')
    .description('files of a network; autond localnet starts one on this machine')
    .addCommand(init);
}

async function initFiles(flags: Flags): Promise<void> {
  const folder = resolve(flags.outputDir);
  const there = await readdir(folder).catch(() => []);
  if (there.length > 0) throw new CliError(`${folder} is not empty: name another --output-dir`);
  const { validators, basePort, singleHost, nodeDirPrefix, nodeDaemonHome, startingIpAddress } = flags;
  const name = (i: number) => `${nodeDirPrefix}${i}`;
  const host = (i: number) => (singleHost ? LOOPBACK : addressAt(startingIpAddress, i));
  host(validators - 1);
  const network = orFail(
    await generateNetwork({
      folder,
      chainId: flags.chainId ?? `chain-${randomBytes(3).toString('hex')}`,
      validators,
      staked: true,
      ports: singleHost
        ? documentedPorts(validators, basePort)
        : Array.from({ length: validators }, () => ({ p2p: basePort, rpc: basePort + 1 })),
      config: { 'consensus.timeout_commit': flags.commitTimeout, minimum_gas_prices: flags.minimumGasPrices },
      layout: { name, home: (i) => join(folder, name(i), nodeDaemonHome), host, rpcHost: flags.rpcHost },
    }),
  );
  const nodes = network.nodes.map((node, i) => ({
    name: node.name,
    home: node.home,
    node_id: node.nodeId,
    peer: peerOf(node),
    rpc: node.rpcUrl,
    operator: network.operators[i]?.address ?? '',
  }));
  createOutput(flags.output).result({ chain_id: network.chainId, folder, nodes, faucet: network.faucet }, [
    `chain      ${network.chainId}`,
    ...nodes.map((node) => `${node.name.padEnd(10)} ${node.peer}   home ${node.home}`),
    `faucet     ${network.faucet.address}   key in ${join(folder, 'keyring-test')}`,
    `mnemonic   ${network.faucet.mnemonic}`,
    '',
    'Start each where its address is: autond start --home <home>',
  ]);
}
