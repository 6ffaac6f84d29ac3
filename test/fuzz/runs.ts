/** Runs of one fuzz target: few in `npm test`, as many as `npm run fuzz` says otherwise. */
export const fuzzRuns = (usual = 2000): number => {
  const given = process.env.AUTONOMY_FUZZ_RUNS;
  if (given === undefined) return usual;
  const runs = Number(given);
  if (!Number.isSafeInteger(runs) || runs <= 0)
    throw new Error(`AUTONOMY_FUZZ_RUNS is "${given}": expected a positive whole number`);
  return runs;
};
