import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { expect, onTestFinished, test } from 'vitest';
import { sha256 } from '#core/crypto/hash.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { createVmPool } from '#node/vm/pool.ts';
import { OUTCOME_SHAPES } from '#test/vm/outcome-shapes.ts';
import { component } from '#test/vm/wat.ts';
import { CALL_LIMITS } from '#vm/limits.ts';
import { buildSpritesCore, SPRITES_OPTIONS } from '#wasm-modules/models/sprites/build.ts';
import type { MachinePage } from './machine-page.ts';
import { plainOutcome } from './plain-outcome.ts';
import { openPage } from './support/chromium.ts';
import { servePage } from './support/page-server.ts';

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

interface Case {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly input: Uint8Array;
  readonly seed: bigint;
  readonly gasLimit: bigint;
}

const shapes: readonly Case[] = OUTCOME_SHAPES.map(([name, core]) => ({
  name,
  bytes: component(core),
  input: Uint8Array.of(1, 2, 3),
  seed: 7n,
  gasLimit: 30_000_000n,
}));

function sprites(): Case {
  const { example } = SPRITES_OPTIONS;
  if (example === undefined) throw new Error('the sprite generator has no example');
  return { name: 'the sprite generator', bytes: component(buildSpritesCore()), ...example, gasLimit: 2_000_000_000n };
}

const limits = { ...CALL_LIMITS, outputBytes: 1 << 20, memoryPages: 1_024 };

const inPage = (page: Page, url: string, { input, seed, gasLimit }: Case): Promise<unknown> =>
  page.evaluate((asked) => (globalThis as unknown as { page: MachinePage }).page.runModel(asked), {
    url,
    input: [...input],
    seed: String(seed),
    gasLimit: String(gasLimit),
    memoryPages: limits.memoryPages,
    outputBytes: limits.outputBytes,
  });

test('a worker of a page computes the output, gas and trace root that a node computes', async () => {
  const cases = [...shapes, sprites()];
  const pool = createVmPool({ workers: 1 }, { logger: silentLogger });
  onTestFinished(() => pool.close());
  const bytes = new Map(cases.map((each, i) => [`/model-${i}.wasm`, each.bytes]));
  const origin = await servePage({ page: here('machine-page.ts'), worker: here('machine-worker.ts'), bytes });
  const page = await openPage(origin);
  const kinds = new Set<string>();
  for (const [i, each] of cases.entries()) {
    const ofNode = await pool.execute({
      ...each,
      componentHash: sha256(each.bytes),
      component: () => Promise.resolve(each.bytes),
      limits,
    });
    expect(await inPage(page, `/model-${i}.wasm`, each), each.name).toEqual(plainOutcome(ofNode));
    kinds.add(ofNode.kind);
  }
  expect([...kinds].sort()).toEqual(['guest-error', 'ok', 'out-of-gas', 'trap']);
});
