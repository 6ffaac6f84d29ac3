import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { toHexUpper } from '#core/bytes.ts';
import { consensusAddress, ed25519Key } from '#core/crypto/pubkey.ts';
import { formatGenesis, type GenesisDocument, parseGenesis } from '#genesis/document.ts';
import { accepted, addAccount, chainOf, stakeValidators } from '#genesis/edit.ts';
import { parseAddress } from '#runtime/address.ts';
import { formatCoins } from '#runtime/coins.ts';
import { keyAddress } from '../../client/account-keys.ts';
import { parseCoin, parseCoins } from '../../client/amounts.ts';
import { editSetting } from '../../config/edit.ts';
import { homePaths } from '../../config/home.ts';
import { NODE_LIMITS } from '../../limits.ts';
import { DEFAULT_COMMISSION, type Gentx, makeGentx, readGentx } from '../../localnet/gentx.ts';
import { nodeIdOf } from '../../p2p/node-id.ts';
import { readNodeKey, readValidatorKey } from '../../privval/key-files.ts';
import { readFileBounded, replaceFileDurably } from '../../storage/durable-file.ts';
import {
  CliError,
  createOutput,
  homeOption,
  type KeyringFlags,
  keyringOf,
  keyringOption,
  type OutputFlags,
  orFail,
  outputOption,
  withOptions,
} from '../context.ts';
import { unsigned } from '../unsigned.ts';
import { type VestingFlags, vestingOf, vestingOptions } from '../vesting-flags.ts';
import { exportCommand } from './export.ts';

export function genesisCommand(): Command {
  return new Command('genesis')
    .description('the document that a chain begins with')
    .addCommand(addAccountCommand())
    .addCommand(gentxCommand())
    .addCommand(collectCommand())
    .addCommand(validateCommand())
    .addCommand(exportCommand());
}

async function readDocument(path: string): Promise<GenesisDocument> {
  const text = await readFile(path, 'utf8').catch(() => {
    throw new CliError(`${path} cannot be read: make a home with autond init, or copy the chain's genesis there`);
  });
  return orFail(parseGenesis(text), path);
}

const writeDocument = (path: string, document: GenesisDocument): Promise<void> =>
  replaceFileDurably(path, formatGenesis(document), 0o644);

interface AddAccountFlags extends KeyringFlags, OutputFlags, VestingFlags {}

function addAccountCommand(): Command {
  const command = new Command('add-account')
    .alias('add-genesis-account')
    .description('give an account coins at genesis, all at once or by a schedule')
    .argument('<address or key>', 'an address of the chain, or the name of a key in the keyring')
    .argument('<coins>', 'such as 1000000uauton,5uatom');
  return withOptions(command, [homeOption(), keyringOption(), outputOption(), ...vestingOptions()]).action(
    async (who: string, text: string, flags: AddAccountFlags) => {
      const path = homePaths(flags.home).genesis;
      const document = await readDocument(path);
      const chain = orFail(chainOf(document), path);
      const coins = orFail(parseCoins(text), 'coins');
      let address = who;
      if (!parseAddress(chain, who, 'address').ok) {
        const key = await keyringOf(flags).find(who);
        if (!key.ok) throw new CliError(`${who} is no address of ${chain.bech32Prefix}…, and ${key.error}`);
        address = keyAddress(key.value.key, chain.bech32Prefix);
      }
      const vesting = await vestingOf(flags);
      const account = { address, coins, ...(vesting === undefined ? {} : { vesting }) };
      await writeDocument(path, orFail(addAccount(document, account), path));
      const how = vesting === undefined ? '' : `, of which some vest (${vesting.kind})`;
      createOutput(flags.output).result(account, [`${address} has ${formatCoins(coins)} at genesis${how}`]);
    },
  );
}

interface GentxFlags extends KeyringFlags, OutputFlags {
  readonly chainId?: string;
  readonly moniker?: string;
  readonly commissionRate: string;
  readonly commissionMaxRate: string;
  readonly commissionMaxChangeRate: string;
  readonly minSelfDelegation: bigint;
  readonly identity: string;
  readonly website: string;
  readonly securityContact: string;
  readonly details: string;
  readonly ip: string;
  readonly p2pPort: bigint;
  readonly outputDocument?: string;
}

const gentxOptions = (): Option[] => [
  new Option('--chain-id <id>', 'refuse when the genesis is of another chain'),
  new Option('--moniker <name>', 'name of the validator; by default that of the node'),
  new Option('--commission-rate <rate>', 'share of the rewards').default(DEFAULT_COMMISSION.rate),
  new Option('--commission-max-rate <rate>', 'most that it will ever be').default(DEFAULT_COMMISSION.maxRate),
  new Option('--commission-max-change-rate <rate>', 'most that it changes by a day').default(
    DEFAULT_COMMISSION.maxChangeRate,
  ),
  new Option('--min-self-delegation <tokens>', 'below it the validator is jailed').default(1n).argParser(unsigned),
  new Option('--identity <id>', 'such as a Keybase signature').default(''),
  new Option('--website <url>', 'of the validator').default(''),
  new Option('--security-contact <address>', 'who is told of trouble').default(''),
  new Option('--details <text>', 'about the validator').default(''),
  new Option('--ip <host>', 'where others reach the node; "" tells nobody').default('127.0.0.1'),
  new Option('--p2p-port <port>', 'its peer-to-peer port').default(26_656n).argParser(unsigned),
  new Option('--output-document <file>', 'by default config/gentx/gentx-<node id>.json in the home'),
];

function gentxCommand(): Command {
  const command = new Command('gentx')
    .description("make this node's validator, staked by a key, for the ceremony's collector")
    .argument('<key>', 'name of the key that operates the validator')
    .argument('<stake>', 'what it stakes, such as 100000000uauton');
  return withOptions(command, [homeOption(), keyringOption(), outputOption(), ...gentxOptions()]).action(
    async (name: string, text: string, flags: GentxFlags) => {
      const paths = homePaths(flags.home);
      const document = await readDocument(paths.genesis);
      const chain = orFail(chainOf(document), paths.genesis);
      if (flags.chainId !== undefined && flags.chainId !== chain.chainId)
        throw new CliError(`--chain-id is ${flags.chainId}, but ${paths.genesis} is of ${chain.chainId}`);
      const [nodeKey, validator] = await Promise.all([
        readNodeKey(paths.nodeKey),
        readValidatorKey(paths.validatorKey),
      ]);
      if (nodeKey === undefined || validator === undefined)
        throw new CliError(`there are no keys of a node in ${flags.home}/config: make a home with autond init`);
      const nodeId = await nodeIdOf(nodeKey.seed);
      const operator = orFail(await keyringOf(flags).unlock(name));
      const made = orFail(
        makeGentx({
          chain,
          operator,
          validatorKey: ed25519Key(validator.publicKey),
          moniker: flags.moniker ?? (await monikerOf(paths.config)),
          stake: orFail(parseCoin(text), 'stake'),
          commission: {
            rate: flags.commissionRate,
            maxRate: flags.commissionMaxRate,
            maxChangeRate: flags.commissionMaxChangeRate,
          },
          minSelfDelegation: flags.minSelfDelegation,
          description: {
            identity: flags.identity,
            website: flags.website,
            securityContact: flags.securityContact,
            details: flags.details,
          },
          peer: flags.ip === '' ? '' : `${nodeId}@${flags.ip}:${flags.p2pPort}`,
        }),
        'gentx',
      );
      // Whoever collects would find out; better here, where it can be mended. The balance may come later.
      const file = flags.outputDocument ?? join(flags.home, 'config', 'gentx', `gentx-${nodeId}.json`);
      await replaceFileDurably(file, made, 0o644);
      createOutput(flags.output).result({ file }, [`written to ${file}: give it to whoever collects`]);
    },
  );
}

/** The node's own name, as its config.toml has it. */
async function monikerOf(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return /^moniker = "([^"]+)"$/m.exec(text)?.[1] ?? 'validator';
}

interface CollectFlags extends OutputFlags {
  readonly home: string;
  readonly gentxDir?: string;
}

function collectCommand(): Command {
  const command = new Command('collect-gentxs')
    .description('make the validators of all gentx files those of the genesis, and their nodes peers of this one')
    .option('--gentx-dir <folder>', 'where the files are; by default config/gentx in the home');
  return withOptions(command, [homeOption(), outputOption()]).action(async (flags: CollectFlags) => {
    const paths = homePaths(flags.home);
    const document = await readDocument(paths.genesis);
    const chain = orFail(chainOf(document), paths.genesis);
    const folder = flags.gentxDir ?? join(flags.home, 'config', 'gentx');
    const gentxs = await readGentxs(folder, (text) => readGentx(text, chain));
    const collected = orFail(
      stakeValidators(
        document,
        gentxs.map(({ validator }) => validator),
      ),
      folder,
    );
    await writeDocument(paths.genesis, collected);
    const own = await readNodeKey(paths.nodeKey);
    const id = own === undefined ? '' : await nodeIdOf(own.seed);
    const peers = gentxs.map(({ peer }) => peer).filter((peer) => peer !== '' && !peer.startsWith(`${id}@`));
    const config = await readFile(paths.config, 'utf8').catch(() => undefined);
    if (config !== undefined)
      await replaceFileDurably(
        paths.config,
        orFail(editSetting(config, 'p2p', 'persistent_peers', peers.join(',')), paths.config),
        0o644,
      );
    createOutput(flags.output).result(
      { genesis: paths.genesis, validators: collected.validators.map(({ name, power }) => ({ name, power })), peers },
      [
        ...collected.validators.map(({ name, power }) => `validator ${name}, power ${power}`),
        `${paths.genesis} is complete: give the same file to every validator`,
      ],
    );
  });
}

async function readGentxs(
  folder: string,
  read: (text: string) => ReturnType<typeof readGentx>,
): Promise<readonly Gentx[]> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.json')).sort();
  if (names.length === 0)
    throw new CliError(`there is no gentx file in ${folder}: make them with autond genesis gentx`);
  if (names.length > NODE_LIMITS.maxGentxs)
    throw new CliError(`${folder}: ${names.length} files exceed the limit of ${NODE_LIMITS.maxGentxs}`);
  const gentxs: Gentx[] = [];
  for (const name of names) {
    const bytes = await readFileBounded(join(folder, name), NODE_LIMITS.maxConfigFileBytes);
    gentxs.push(orFail(read(new TextDecoder().decode(bytes)), join(folder, name)));
  }
  return gentxs;
}

function validateCommand(): Command {
  const command = new Command('validate')
    .alias('validate-genesis')
    .description('whether a genesis is one that a chain can start from')
    .argument('[file]', 'by default that of the home');
  return withOptions(command, [homeOption(), outputOption()]).action(
    async (file: string | undefined, flags: OutputFlags & { readonly home: string }) => {
      const path = file ?? homePaths(flags.home).genesis;
      const document = orFail(accepted(await readDocument(path)), path);
      createOutput(flags.output).result(
        {
          chain_id: document.chainId,
          initial_height: document.initialHeight,
          validators: document.validators.map(({ publicKey, power, name }) => ({
            address: toHexUpper(consensusAddress(publicKey)),
            power,
            name,
          })),
        },
        [`${path} is a valid genesis of ${document.chainId} with ${document.validators.length} validators`],
      );
    },
  );
}
