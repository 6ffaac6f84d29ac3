/** What a node has of blocks and transactions: `autond query txs|block|blocks|block-results|validator-set`. */
import { Command, Option } from 'commander';
import { RPC_LIMITS } from '#rpc/limits.ts';
import { type Search, searchParams } from '../../client/chain-client.ts';
import {
  CliError,
  chainClientOf,
  createOutput,
  type NodeFlags,
  nodeOption,
  type OutputFlags,
  outputOption,
  wholeNumber,
  withOptions,
} from '../context.ts';

type Flags = NodeFlags & OutputFlags;

interface SearchFlags extends Flags {
  readonly query: string;
  readonly page: number;
  readonly limit: number;
  readonly orderBy: 'asc' | 'desc';
}

interface BlockRecord {
  readonly block_id: { readonly hash: string };
  readonly block: {
    readonly header: {
      readonly chain_id: string;
      readonly height: string;
      readonly time: string;
      readonly proposer_address: string;
      readonly app_hash: string;
    };
    readonly data: { readonly txs: readonly string[] };
  } | null;
}

export function chainQueries(): readonly Command[] {
  return [txsCommand(), blockCommand(), blocksCommand(), blockResultsCommand(), validatorSetCommand()];
}

const options = (): Option[] => [nodeOption(), outputOption()];

function searchOptions(order: 'asc' | 'desc', example: string): Option[] {
  return [
    new Option('--query <conditions>', `joined by AND, such as ${example}`).makeOptionMandatory(),
    new Option('--page <number>', 'which page, from 1').default(1).argParser(wholeNumber(1, 1_000_000)),
    new Option('--limit <count>', 'how many on a page')
      .default(RPC_LIMITS.defaultPerPage)
      .argParser(wholeNumber(1, RPC_LIMITS.maxPerPage)),
    new Option('--order-by <order>', 'by height').choices(['asc', 'desc']).default(order),
  ];
}

const searchOf = ({ query, page, limit, orderBy }: SearchFlags): Search => ({
  query,
  page,
  perPage: limit,
  order: orderBy,
});

function pageLine(total: string, found: number, what: string, { page, limit }: SearchFlags): string {
  const first = (page - 1) * limit + 1;
  return found === 0 ? `no ${what}` : `${what} ${first} to ${first + found - 1} of ${total}`;
}

function txsCommand(): Command {
  const command = new Command('txs').description('transactions in blocks, by what they told');
  withOptions(command, [...searchOptions('asc', `"message.sender='auton1…' AND tx.height>5"`), ...options()]);
  return command.action(async (flags: SearchFlags) => {
    const { total, txs } = await chainClientOf(flags).searchTxs(searchOf(flags));
    createOutput(flags.output).result({ total_count: total, txs }, [
      ...txs.map(({ hash, height, code }) => `${hash}  height ${height}${code === 0 ? '' : `  failed (${code})`}`),
      pageLine(total, txs.length, 'transactions', flags),
    ]);
  });
}

function blocksCommand(): Command {
  const command = new Command('blocks').description('blocks, by their height or by what they told');
  withOptions(command, [...searchOptions('desc', '"block.height>5 AND block.height<9"'), ...options()]);
  return command.action(async (flags: SearchFlags) => {
    const found = await chainClientOf(flags).rpc.call<{
      readonly total_count: string;
      readonly blocks: readonly BlockRecord[];
    }>('block_search', searchParams(searchOf(flags)));
    createOutput(flags.output).result(found, [
      ...found.blocks.map((record) => `${record.block_id.hash}  ${summary(record)}`),
      pageLine(found.total_count, found.blocks.length, 'blocks', flags),
    ]);
  });
}

function summary({ block }: BlockRecord): string {
  if (block === null) return '';
  return `height ${block.header.height}  ${block.header.time}  ${block.data.txs.length} transactions`;
}

const HEIGHT = /^[1-9]\d{0,17}$/;
const HASH = /^[0-9a-fA-F]{64}$/;

/** Parameters of a route that takes a height; without one it means the newest. */
function heightOf(text: string | undefined): { readonly height?: string } {
  if (text === undefined) return {};
  if (!HEIGHT.test(text)) throw new CliError(`expected a height of 1 or above, got ${JSON.stringify(text)}`);
  return { height: text };
}

function blockCommand(): Command {
  const command = new Command('block')
    .description('a block')
    .argument('[height or hash]', 'a height, or 64 hex digits; by default the newest');
  return withOptions(command, options()).action(async (which: string | undefined, flags: Flags) => {
    const { rpc } = chainClientOf(flags);
    const isHash = which !== undefined && HASH.test(which);
    const record = isHash
      ? await rpc.call<BlockRecord>('block_by_hash', { hash: Buffer.from(which, 'hex').toString('base64') })
      : await rpc.call<BlockRecord>('block', heightOf(which));
    const { block } = record;
    if (block === null) throw new CliError(`there is no block with the hash ${which?.toUpperCase()}`);
    createOutput(flags.output).result(record, [
      `chain         ${block.header.chain_id}`,
      `height        ${block.header.height}`,
      `hash          ${record.block_id.hash}`,
      `time          ${block.header.time}`,
      `proposer      ${block.header.proposer_address}`,
      `app hash      ${block.header.app_hash}`,
      `transactions  ${block.data.txs.length}`,
    ]);
  });
}

function blockResultsCommand(): Command {
  const command = new Command('block-results')
    .description('what a block led to: results of its transactions, events, updates of validators; the answer is JSON')
    .argument('[height]', 'by default the newest');
  return withOptions(command, options()).action(async (height: string | undefined, flags: Flags) => {
    const results = await chainClientOf(flags).rpc.call<unknown>('block_results', heightOf(height));
    createOutput(flags.output).result(results, [JSON.stringify(results, undefined, 2)]);
  });
}

interface ValidatorsPage {
  readonly block_height: string;
  readonly total: string;
  readonly validators: readonly { readonly address: string; readonly voting_power: string }[];
}

function validatorSetCommand(): Command {
  const command = new Command('validator-set')
    .alias('comet-validator-set')
    .description('who votes on a block, with their powers')
    .argument('[height]', 'by default the newest');
  return withOptions(command, options()).action(async (text: string | undefined, flags: Flags) => {
    const { rpc } = chainClientOf(flags);
    const ask = (at: { readonly height?: string }, page: number) =>
      rpc.call<ValidatorsPage>('validators', { ...at, page: String(page), per_page: String(RPC_LIMITS.maxPerPage) });
    const first = await ask(heightOf(text), 1);
    const at = { height: first.block_height };
    const validators = [...first.validators];
    for (let page = 2; validators.length < Number(first.total); page++) {
      const next = await ask(at, page);
      if (next.validators.length === 0) throw new CliError(`page ${page} of the validators is empty`);
      validators.push(...next.validators);
    }
    createOutput(flags.output).result({ block_height: first.block_height, validators }, [
      ...validators.map(({ address, voting_power: power }) => `${address}  power ${power}`),
      `${validators.length} validators at height ${first.block_height}`,
    ]);
  });
}
