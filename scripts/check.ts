/**
 * `npm run check`: what to run before every commit, about two minutes on two cores. Everything but the processes
 * (e2e) and fuzzing; `AUTONOMY_SHORT=1` tells the simulation to take few seeds.
 */
import { existsSync } from 'node:fs';
import { vectorsRoot } from '#test/vectors/locate.ts';
import { runStages, staticStages, vectorsStage, vitestStage } from './stages.ts';

const minute = 60_000;

process.exitCode = await runStages([
  ...staticStages(),
  vitestStage('unit', { timeoutMs: 10 * minute }),
  vectorsStage(existsSync(vectorsRoot())),
  vitestStage('sim', { timeoutMs: 10 * minute, env: { AUTONOMY_SHORT: '1' } }),
]);
