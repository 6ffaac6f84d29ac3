import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { createRpcClient, type RpcClient } from '#node/client/rpc-client.ts';
import { spawnAutond } from '#node/localnet/node-process.ts';
import { until } from './network.ts';

export interface LightNode {
  readonly rpc: RpcClient;
  readonly home: string;
  log(): Promise<string>;
  stop(): Promise<unknown>;
}

export interface LightFlags {
  readonly primary: string;
  readonly witnesses: readonly string[];
  readonly root?: { readonly height: number; readonly hash: string };
  readonly home?: string;
  readonly more?: readonly string[];
}

/** `autond light` as a process of its own. Ends with the test. */
export async function startLight({ primary, witnesses, root, home, more = [] }: LightFlags): Promise<LightNode> {
  const folder = home ?? mkdtempSync(join(tmpdir(), 'autonomy-light-'));
  const logFile = join(folder, `light-${Math.random()}.log`);
  const process = spawnAutond(
    [
      'light',
      'e2e',
      '--primary',
      primary,
      ...witnesses.flatMap((url) => ['--witness', url]),
      ...(root === undefined ? [] : ['--trusted-height', String(root.height), '--trusted-hash', root.hash]),
      ...['--laddr', 'tcp://127.0.0.1:0', '--home', folder, '--log-format', 'json', ...more],
    ],
    logFile,
  );
  const log = () => readFile(logFile, 'utf8');
  onTestFinished(async () => {
    await process.stop();
    if (home === undefined) rmSync(folder, { recursive: true, force: true });
  });
  let url: string | undefined;
  await until('the light client serves', async () => {
    const exit = process.exit();
    if (exit !== undefined) throw new Error(`autond light has ended with ${exit.code}: ${await log()}`);
    url = /"url":"([^"]+)"/.exec(await log())?.[1];
    return url !== undefined;
  });
  return { rpc: createRpcClient(url ?? ''), home: folder, log, stop: () => process.stop() };
}
