import { DEFAULT_SIM, simulate } from './run.ts';

const [from, to, chaosMs, byz, flag, kinds] = process.argv.slice(2);
let h = 0n,
  c = 0,
  bad = 0,
  ev = 0,
  maxr = 0;
const t = Date.now();
const rej = new Set<string>();
for (let seed = Number(from); seed < Number(to); seed++) {
  const r = await simulate({
    ...DEFAULT_SIM,
    seed,
    chaosMs: Number(chaosMs),
    byzantine: Number(byz),
    crashes: flag !== 'nocrash',
    kinds: kinds ? (kinds.split(',') as never) : undefined,
  });
  h += r.height;
  c += r.faults.crashes;
  ev += r.evidence;
  maxr = Math.max(maxr, r.highestRound);
  for (const x of r.rejected) rej.add(x.replace(/[0-9a-f]{8,}/g, 'H'));
  if (r.violation) {
    bad++;
    if (bad < 6) console.log(seed, r.height, r.violation.stack?.slice(0, 900));
  }
}
console.log({ heights: h, crashes: c, bad, ev, maxr, secs: (Date.now() - t) / 1000, rej: [...rej].slice(0, 10) });
