/** `npm run fuzz [-- runs]`: the fuzz targets with many more runs than `npm test` gives them. */
import { runStages, vitestStage } from './stages.ts';

const hour = 3_600_000;
const defaultRuns = 200_000;
const runs = Number(process.argv[2] ?? defaultRuns);

if (Number.isSafeInteger(runs) && runs > 0) {
  process.exitCode = await runStages([
    vitestStage('fuzz', {
      timeoutMs: 12 * hour,
      env: { AUTONOMY_FUZZ_RUNS: String(runs) },
      args: [`--testTimeout=${hour}`],
    }),
  ]);
} else {
  console.error(`runs: "${process.argv[2]}", expected a positive whole number`);
  process.exitCode = 1;
}
