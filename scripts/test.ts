/** `npm test`: everything. The last line is `N passed, N failed`. */
import { existsSync } from 'node:fs';
import { vectorsRoot } from '#test/vectors/locate.ts';
import { ensureChromium } from './chromium.ts';
import { browserStage, commandStage, runStages, staticStages, vectorsStage, vitestStage } from './stages.ts';

const minute = 60_000;

process.exitCode = await runStages([
  ...staticStages(),
  vitestStage('unit', { timeoutMs: 15 * minute }),
  vitestStage('mocked', { timeoutMs: 5 * minute }),
  vectorsStage(existsSync(vectorsRoot())),
  vitestStage('sim', { timeoutMs: 20 * minute }),
  vitestStage('fuzz', { timeoutMs: 15 * minute }),
  commandStage('mutants', process.execPath, ['scripts/mutants.ts']),
  vitestStage('e2e', { timeoutMs: 40 * minute }),
  browserStage(ensureChromium),
]);
