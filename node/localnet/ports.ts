import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { err, ok, type Result } from '#core/result.ts';
import type { NodePorts } from './network.ts';

/** @returns what keeps the port from being taken, undefined when nothing does. */
function busyPort(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error) => resolve(error.message));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

/** Fails with the number and purpose of the first port that somebody else holds. */
export async function expectFreePorts(ports: readonly NodePorts[]): Promise<Result<true, string>> {
  for (const [i, { rpc, p2p }] of ports.entries())
    for (const [what, port] of [
      ['RPC', rpc],
      ['p2p', p2p],
    ] as const) {
      if ((await busyPort(port)) !== undefined)
        return err(
          `port ${port} (${what} of node ${i}) is busy: stop what holds it, or choose others with --base-port`,
        );
    }
  return ok(true);
}

/**
 * Ports of test networks lie below those that systems give to outgoing connections (Linux: from 32768): such a
 * connection must not take one between its choice and its use, or while its node restarts.
 */
const TEST_PORTS = { from: 10_240, before: 32_768 } as const;

/** Ports that nobody holds now, for test networks. */
export async function freePorts(count: number): Promise<NodePorts[]> {
  const held = new Set<number>();
  while (held.size < 2 * count) {
    const port = randomInt(TEST_PORTS.from, TEST_PORTS.before);
    if ((await busyPort(port)) === undefined) held.add(port);
  }
  const ports = [...held];
  return Array.from({ length: count }, (_, i) => ({ rpc: ports[2 * i] as number, p2p: ports[2 * i + 1] as number }));
}
