/** `npm start`: a whole network on this machine, and what it can do, in one terminal. `--once` ends when it has been shown. */
import { parseArgs } from 'node:util';
import { describeLocalnet } from '#node/cli/commands/localnet.ts';
import { interrupted, type Localnet, LocalnetError, startLocalnet } from '#node/localnet/localnet.ts';
import { DOCUMENTED_BASE_PORT, documentedPorts } from '#node/localnet/network.ts';
import { demoSteps } from './demo/steps.ts';

const VALIDATORS = 4;

const say = (line: string) => process.stdout.write(`${line}\n`);

async function demonstrate(localnet: Localnet): Promise<void> {
  const rpcUrl = localnet.network.nodes[0]?.rpcUrl ?? '';
  for (const [i, step] of demoSteps.entries()) {
    say(`\n${i + 1}. ${step.title}`);
    await step.run({
      localnet,
      rpcUrl,
      faucetMnemonic: localnet.network.faucet.mnemonic,
      say: (line) => say(`   ${line}`),
    });
  }
}

function hintsOf(localnet: Localnet): readonly string[] {
  const rpcUrl = localnet.network.nodes[0]?.rpcUrl ?? '';
  const context = { localnet, rpcUrl, faucetMnemonic: localnet.network.faucet.mnemonic };
  return demoSteps.flatMap((step) => step.hints?.(context) ?? []);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      once: { type: 'boolean', default: false },
      'base-port': { type: 'string', default: String(DOCUMENTED_BASE_PORT) },
    },
  });
  const basePort = Number(values['base-port']);
  if (!Number.isInteger(basePort) || basePort < 1_024 || basePort > 65_000)
    throw new LocalnetError(`--base-port: expected a port from 1024 to 65000, got ${values['base-port']}`);
  const signal = interrupted();
  const began = performance.now();
  const seconds = () => `${((performance.now() - began) / 1_000).toFixed(1)} s`;
  say(`Starting a network of ${VALIDATORS} validators …`);
  const localnet = await startLocalnet({
    chainId: 'autonomy-localnet',
    validators: VALIDATORS,
    ports: documentedPorts(VALIDATORS, basePort),
    config: { 'consensus.timeout_commit': '1s' },
    stop: signal,
  });
  say(`${VALIDATORS} processes are making blocks (${seconds()}).`);
  let failure: unknown;
  try {
    // A Ctrl-C, or the end of a node, ends the demonstration in the middle.
    const stopped = Promise.race([signal, localnet.failed]).then((reason) => ({ reason }));
    const shown = await Promise.race([demonstrate(localnet), stopped]);
    if (shown === undefined) {
      say(`\nAll of it worked (${seconds()}).`);
      if (!values.once) {
        say('\nAsk for another picture:');
        for (const line of hintsOf(localnet)) say(`  ${line}`);
        for (const line of describeLocalnet(localnet)) say(line);
        const { reason } = await stopped;
        if (!reason.startsWith('SIG')) failure = new LocalnetError(reason);
      }
    } else if (!shown.reason.startsWith('SIG')) failure = new LocalnetError(shown.reason);
  } catch (error) {
    failure = error;
  }
  say('\nStopping …');
  await localnet.stop();
  if (failure !== undefined) throw failure;
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`npm start: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof LocalnetError && error.interrupted ? 0 : 1;
}
