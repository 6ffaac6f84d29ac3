import { writeSync } from 'node:fs';
import pino from 'pino';
import { toHexUpper } from '#core/bytes.ts';
import type { Logger } from '#core/ports/logger.ts';
import type { LogLevel } from './config/config.ts';

export interface LoggerOptions {
  readonly level: LogLevel;
  /** Lines for people, or one JSON object a line. */
  readonly format: 'text' | 'json';
}

/** Written at once: a line is out before the next statement runs, also when the process is about to die. */
const standardError = (line: string): void => {
  try {
    writeSync(2, line);
  } catch {
    // Nobody reads it: a closed or full pipe must not stop the node.
  }
};

/** Structured logs on standard error. `write` gets whole lines. */
export function createLogger(options: LoggerOptions, write: (line: string) => void = standardError): Logger {
  const destination = { write: options.format === 'json' ? write : (line: string) => write(formatLine(line)) };
  const root = pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
    },
    destination,
  );
  return adapt(root);
}

function adapt(logger: pino.Logger): Logger {
  return {
    debug: (message, fields) => logger.isLevelEnabled('debug') && logger.debug(plain(fields), message),
    info: (message, fields) => logger.info(plain(fields), message),
    warn: (message, fields) => logger.warn(plain(fields), message),
    error: (message, fields) => logger.error(plain(fields), message),
    child: (component) => adapt(logger.child({ component })),
  };
}

/** Bytes as hex, big integers as decimal text, errors as their message. */
function plain(fields: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value instanceof Uint8Array) out[name] = toHexUpper(value);
    else if (typeof value === 'bigint') out[name] = value.toString();
    else if (value instanceof Error) out[name] = value.message;
    else out[name] = value;
  }
  return out;
}

function formatLine(line: string): string {
  const { level, time, component, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const clock = String(time).slice(11, 23);
  const rest = Object.entries(fields).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? quote(value) : JSON.stringify(value)}`,
  );
  const head = `${clock} ${String(level).toUpperCase().padEnd(5)} ${component === undefined ? '' : `${String(component)}: `}`;
  return `${head}${String(msg)}${rest.length === 0 ? '' : ` ${rest.join(' ')}`}\n`;
}

/** Control characters never reach the terminal, and spaces do not blur where a value ends. */
function quote(text: string): string {
  return /^[\w.:/@+-]+$/.test(text) ? text : JSON.stringify(text);
}
