/**
 * `npm run check`: what to run before every commit, about three minutes on two cores. Everything but the processes
 * (e2e) and fuzzing.
 */
import { existsSync } from 'node:fs';
import { vectorsRoot } from '#test/vectors/locate.ts';
import { runStages, staticStages, vectorsStage, vitestStage } from './stages.ts';

const minute = 60_000;
const env = { AUTONOMY_SHARED_MODULES: '1' };

process.exitCode = await runStages([
  ...staticStages(),
  vitestStage('unit', { timeoutMs: 10 * minute, env }),
  vitestStage('mocked', { timeoutMs: 5 * minute }),
  vectorsStage(existsSync(vectorsRoot()), env),
  vitestStage('sim', { timeoutMs: 10 * minute, env }),
]);
