#!/usr/bin/env node
import type { Socket } from 'node:net';
import { runProgram } from './program.ts';

// Started by a launcher: when it is gone, killed or crashed, this process goes the way of a SIGTERM.
if (process.env.AUTOND_FOLLOW_STDIN === '1') {
  process.stdin.once('end', () => process.kill(process.pid, 'SIGTERM'));
  process.stdin.resume();
  (process.stdin as Socket).unref();
}

process.exitCode = await runProgram(process.argv.slice(2));
