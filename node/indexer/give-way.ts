import { readlinkSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';
import { INDEX_LIMITS } from './limits.ts';

/** Of the thread that calls: where cores are short, blocks go before their index, which follows when it can. Linux alone has a priority of a thread. */
export function giveWay(): void {
  try {
    const thread = Number(readlinkSync('/proc/thread-self').split('/').at(-1));
    setPriority(thread, Math.min(getPriority() + INDEX_LIMITS.threadNiceness, constants.priority.PRIORITY_LOW));
  } catch {
    // It is as any other thread then.
  }
}
