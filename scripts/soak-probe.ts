/**
 * Preloaded into each validator of a soak run (`NODE_OPTIONS=--import …`): what cannot be seen of a process from outside.
 * Every few seconds it writes one JSON object to `$SOAK_PROBE_FOLDER/<pid>.json`. A few times a minute it has all garbage
 * collected first: how lazily it is collected otherwise moves the resident memory by a hundred MiB within minutes, and
 * says nothing of what the process holds.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread, threadId } from 'node:worker_threads';
import { type HeldMemory, PROBE_EVERY_MS, type ProbeReading } from './soak-sample.ts';

/** So many readings for one after a collection. */
const READINGS_PER_COLLECTION = 4;
const KIB_PER_MIB = 1_024;
const BYTES_PER_MIB = 1_048_576;
const NANOS_PER_MS = 1_000_000;

function collector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}

function heldMemory(collect: () => void, number: number): HeldMemory {
  collect();
  const status = readFileSync('/proc/self/status', 'utf8');
  return {
    number,
    anonymousMiB: Number(/^RssAnon:\s+(\d+)/m.exec(status)?.[1]) / KIB_PER_MIB,
    heapMiB: process.memoryUsage().heapUsed / BYTES_PER_MIB,
  };
}

function startProbe(folder: string): void {
  const file = join(folder, `${process.pid}.json`);
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  const collect = collector();
  let held: HeldMemory | undefined;
  let readings = 0;
  setInterval(() => {
    const { heapUsed, heapTotal, external, arrayBuffers } = process.memoryUsage();
    if (readings++ % READINGS_PER_COLLECTION === 0) held = heldMemory(collect, readings);
    const reading: ProbeReading = {
      heapUsedMiB: heapUsed / BYTES_PER_MIB,
      heapTotalMiB: heapTotal / BYTES_PER_MIB,
      externalMiB: external / BYTES_PER_MIB,
      arrayBuffersMiB: arrayBuffers / BYTES_PER_MIB,
      held: held ?? null,
      eventLoopDelayP99Ms: delay.percentile(99) / NANOS_PER_MS,
    };
    delay.reset();
    // Whoever reads it must never see half of it.
    writeFileSync(`${file}.new`, JSON.stringify(reading));
    renameSync(`${file}.new`, file);
  }, PROBE_EVERY_MS).unref();
}

/** A thread beside the main one: its heap is one of its own. */
function startThreadProbe(folder: string): void {
  const file = join(folder, `${process.pid}-thread${threadId}.json`);
  setInterval(() => writeFileSync(file, JSON.stringify(process.memoryUsage())), PROBE_EVERY_MS).unref();
}

const folder = process.env.SOAK_PROBE_FOLDER;
if (folder !== undefined) (isMainThread ? startProbe : startThreadProbe)(folder);
