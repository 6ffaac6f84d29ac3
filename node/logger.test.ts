import { expect, test } from 'vitest';
import { createLogger, type LoggerOptions } from './logger.ts';

function record(options: Partial<LoggerOptions> = {}) {
  const lines: string[] = [];
  const logger = createLogger({ level: 'debug', format: 'text', ...options }, (line) => lines.push(line));
  return { logger, lines };
}

test('text lines carry level, component and fields', () => {
  const { logger, lines } = record();
  logger
    .child('p2p')
    .warn('peer is slow', { peer: 'abc', height: 7n, hash: Uint8Array.of(1, 255), note: 'two words\n' });
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(
    /^\d\d:\d\d:\d\d\.\d{3} WARN {2}p2p: peer is slow peer=abc height=7 hash=01FF note="two words\\n"\n$/,
  );
});

test('JSON lines are one object each', () => {
  const { logger, lines } = record({ format: 'json' });
  logger.info('started', { error: new Error('cause'), list: [1n] });
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'info', msg: 'started', error: 'cause' });
});

test('levels below the configured one are silent', () => {
  const { logger, lines } = record({ level: 'error' });
  logger.debug('a');
  logger.info('b');
  logger.warn('c');
  logger.error('d');
  expect(lines).toHaveLength(1);
});
