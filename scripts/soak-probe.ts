/**
 * Preloaded into each validator of a soak run (`NODE_OPTIONS=--import …`): what cannot be seen of a process from outside.
 * Every few seconds it writes one JSON object to `$SOAK_PROBE_FOLDER/<pid>.json`. It changes nothing in the process
 * besides: no collection is forced, since how much memory is left uncollected is part of what is measured.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';
import { PROBE_EVERY_MS, type ProbeReading } from './soak-sample.ts';

/** `kind` of a full collection in Node's performance entries (`perf_hooks.constants.NODE_PERFORMANCE_GC_MAJOR`). */
const MAJOR = 4;
const BYTES_PER_MIB = 1_048_576;
const NANOS_PER_MS = 1_000_000;

function startProbe(folder: string): void {
  const file = join(folder, `${process.pid}.json`);
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  let liveHeapMiB: number | undefined;
  let majorCollections = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      if ((entry as { detail?: { kind?: number } }).detail?.kind !== MAJOR) continue;
      majorCollections += 1;
      liveHeapMiB = process.memoryUsage().heapUsed / BYTES_PER_MIB;
    }
  }).observe({ entryTypes: ['gc'] });
  setInterval(() => {
    const { heapUsed, heapTotal, external, arrayBuffers } = process.memoryUsage();
    const reading: ProbeReading = {
      heapUsedMiB: heapUsed / BYTES_PER_MIB,
      heapTotalMiB: heapTotal / BYTES_PER_MIB,
      externalMiB: external / BYTES_PER_MIB,
      arrayBuffersMiB: arrayBuffers / BYTES_PER_MIB,
      liveHeapMiB: liveHeapMiB ?? null,
      majorCollections,
      eventLoopDelayP99Ms: delay.percentile(99) / NANOS_PER_MS,
    };
    delay.reset();
    // Whoever reads it must never see half of it.
    writeFileSync(`${file}.new`, JSON.stringify(reading));
    renameSync(`${file}.new`, file);
  }, PROBE_EVERY_MS).unref();
}

const folder = process.env.SOAK_PROBE_FOLDER;
if (isMainThread && folder !== undefined) startProbe(folder);
