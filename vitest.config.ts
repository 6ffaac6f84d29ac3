import { defineConfig } from 'vitest/config';

/** Layers whose unit tests lie beside what they test. */
const unitFolders = [
  'core',
  'consensus',
  'light',
  'vm',
  'runtime',
  'wasm-modules',
  'genesis',
  'rpc',
  'node',
  'scripts',
  'bench',
] as const;

const minute = 60_000;

/** Tests that put something else in the place of a module: each has a process of its own. */
const mocked = '.mocked.test.ts';

/**
 * To load all that a file imports takes longer than most of the tests: for daily work (`npm run check`) the files that one
 * process runs share it. The whole suite lets none of them see what another has left behind.
 */
const isolate = process.env.AUTONOMY_SHARED_MODULES !== '1';

/**
 * Modules are loaded by Node itself (`viteModuleRunner: false`): tests see the very loader, type stripping and
 * `#layer/` imports that the running chain sees.
 */
const common = {
  environment: 'node',
  pool: 'forks',
  watch: false,
  experimental: { viteModuleRunner: false },
} as const;

export default defineConfig({
  test: {
    // Two cores are the machine we promise to work on; more workers than that make the timed tests lie.
    maxWorkers: 2,
    teardownTimeout: minute,
    projects: [
      {
        test: {
          ...common,
          name: 'unit',
          include: unitFolders.map((folder) => `${folder}/**/*.test.ts`),
          exclude: [`**/*${mocked}`],
          isolate,
          // Against hangs: some start processes or networks, which takes them seconds on two quiet cores.
          testTimeout: minute,
        },
      },
      {
        test: {
          ...common,
          name: 'mocked',
          include: unitFolders.map((folder) => `${folder}/**/*${mocked}`),
          testTimeout: minute,
        },
      },
      {
        test: {
          ...common,
          name: 'vectors',
          isolate,
          include: ['test/vectors/**/*.test.ts', 'test/abci/**/*.test.ts', 'test/cross-engine/**/*.test.ts'],
          testTimeout: minute,
        },
      },
      {
        test: {
          ...common,
          name: 'sim',
          isolate,
          include: ['test/sim/**/*.test.ts', 'test/app-sim/**/*.test.ts'],
          testTimeout: 5 * minute,
        },
      },
      {
        test: {
          ...common,
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          // Real processes on real ports: one file at a time.
          fileParallelism: false,
          testTimeout: 10 * minute,
          hookTimeout: 5 * minute,
        },
      },
      {
        // Real pages in a headless Chromium, against real processes.
        test: {
          ...common,
          name: 'browser',
          include: ['test/browser/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 5 * minute,
        },
      },
      {
        test: { ...common, name: 'fuzz', include: ['test/fuzz/**/*.test.ts'], testTimeout: 3 * minute },
      },
    ],
  },
});
