import { Command, InvalidArgumentError } from 'commander';
import { toBase64 } from '#core/bytes.ts';
import { ed25519Key } from '#core/crypto/pubkey.ts';
import { fromMillis } from '#core/types/timestamp.ts';
import { buildGenesis, type GenesisAccount } from '#genesis/builder.ts';
import { formatGenesis } from '#genesis/document.ts';
import { ParamsSchema } from '#proto/gen/cosmos/staking/v1beta1/staking_pb.ts';
import { create } from '#proto/message.ts';
import type { Json } from '#runtime/module.ts';
import { DEFAULT_DENOM, DEFAULT_PREFIX } from '#runtime/modules/chain/module.ts';
import { defaultParams } from '#runtime/modules/staking/state.ts';
import { sdkToJson } from '#runtime/sdk-json.ts';
import { parseCoins } from '../../client/amounts.ts';
import { homePaths } from '../../config/home.ts';
import { exists, prepareHome, writeHomeFiles } from '../../localnet/home.ts';
import { CliError, createOutput, homeOption, type OutputFlags, orFail, outputOption, withOptions } from '../context.ts';

interface Flags extends OutputFlags {
  readonly home: string;
  readonly chainId: string;
  readonly overwrite: boolean;
  readonly account: readonly GenesisAccount[];
  readonly operator?: string;
  readonly prefix: string;
  readonly baseDenom: string;
  readonly bondDenom?: string;
}

/** `app_state` of the modules that are not as by default. */
function moduleState(
  { operator, baseDenom, bondDenom }: Flags,
  publicKey: Uint8Array,
): { readonly [name: string]: Json } {
  const params = create(ParamsSchema, { ...defaultParams({ baseDenom }), bondDenom: bondDenom ?? baseDenom });
  return {
    ...(operator === undefined ? {} : { poi: { operators: [{ pub_key: toBase64(publicKey), account: operator }] } }),
    ...(bondDenom === undefined ? {} : { staking: { params: sdkToJson(ParamsSchema, params, []) } }),
  };
}

function readAccount(text: string, before: readonly GenesisAccount[]): readonly GenesisAccount[] {
  const at = text.indexOf('=');
  const coins = parseCoins(text.slice(at + 1));
  if (at < 1 || !coins.ok) throw new InvalidArgumentError('expected <address>=<coins>, such as auton1…=1000000uauton');
  return [...before, { address: text.slice(0, at), coins: coins.value }];
}

export function initCommand(): Command {
  const command = new Command('init')
    .description('make the home of a node: configuration, keys, and a genesis in which it is the only validator')
    .argument('<moniker>', 'name of the node')
    .option('--chain-id <id>', 'id of the new chain', 'autonomy-local')
    .option('--account <address=coins>', 'an account that has coins at genesis; may be repeated', readAccount, [])
    .option('--operator <address>', 'account that the validator is paid to for verifying')
    .option('--prefix <text>', 'prefix of addresses', DEFAULT_PREFIX)
    .option('--base-denom <denom>', 'what fees are paid in', DEFAULT_DENOM)
    .option('--bond-denom <denom>', 'what validators stake; by default what fees are paid in')
    .option('--overwrite', 'replace configuration and genesis that are there; keys stay', false);
  return withOptions(command, [homeOption(), outputOption()]).action(async (moniker: string, flags: Flags) => {
    const { genesis: genesisPath, config } = homePaths(flags.home);
    for (const path of [config, genesisPath])
      if (!flags.overwrite && (await exists(path)))
        throw new CliError(`${path} is there already: --overwrite replaces configuration and genesis`);
    const { paths, nodeId, validator } = await prepareHome(flags.home);
    const document = orFail(
      buildGenesis({
        chainId: flags.chainId,
        genesisTime: fromMillis(BigInt(Date.now())),
        validators: [{ publicKey: ed25519Key(validator.publicKey), power: 10n, name: moniker }],
        accounts: flags.account,
        bech32Prefix: flags.prefix,
        baseDenom: flags.baseDenom,
        moduleState: moduleState(flags, validator.publicKey),
      }),
    );
    await writeHomeFiles(paths, { moniker }, formatGenesis(document));
    createOutput(flags.output).result({ home: flags.home, chain_id: flags.chainId, node_id: nodeId }, [
      `home      ${flags.home}`,
      `chain     ${flags.chainId}`,
      `node id   ${nodeId}`,
      '',
      `Start it with: autond start --home ${flags.home}`,
    ]);
  });
}
