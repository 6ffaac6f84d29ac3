import { Command } from 'commander';
import {
  chainClientOf,
  createOutput,
  type NodeFlags,
  nodeOption,
  type OutputFlags,
  outputOption,
  withOptions,
} from '../context.ts';

export function statusCommand(): Command {
  const command = new Command('status').description('where a node stands');
  return withOptions(command, [nodeOption(), outputOption()]).action(async (flags: NodeFlags & OutputFlags) => {
    const status = await chainClientOf(flags).status();
    const { node_info: node, sync_info: sync, validator_info: validator } = status;
    createOutput(flags.output).result(status, [
      `chain      ${node.network}`,
      `node       ${node.moniker} ${node.id}`,
      `height     ${sync.latest_block_height}${sync.catching_up ? ' (catching up)' : ''}`,
      `block      ${sync.latest_block_hash}`,
      `app hash   ${sync.latest_app_hash}`,
      `time       ${sync.latest_block_time}`,
      `power      ${validator.voting_power}`,
    ]);
  });
}
