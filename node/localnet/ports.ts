import { createServer } from 'node:net';
import { err, ok, type Result } from '#core/result.ts';
import type { NodePorts } from './network.ts';

function tryPort(port: number): Promise<{ readonly port: number; readonly error: string | undefined }> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error) => resolve({ port, error: error.message }));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => {
      const address = server.address();
      const bound = typeof address === 'object' && address !== null ? address.port : port;
      server.close(() => resolve({ port: bound, error: undefined }));
    });
  });
}

/** Fails with the number and purpose of the first port that somebody else holds. */
export async function expectFreePorts(ports: readonly NodePorts[]): Promise<Result<true, string>> {
  for (const [i, { rpc, p2p }] of ports.entries())
    for (const [what, port] of [
      ['RPC', rpc],
      ['p2p', p2p],
    ] as const) {
      const { error } = await tryPort(port);
      if (error !== undefined)
        return err(
          `port ${port} (${what} of node ${i}) is busy: stop what holds it, or choose others with --base-port`,
        );
    }
  return ok(true);
}

/** Ports that nobody holds now, for test networks. */
export async function freePorts(count: number): Promise<NodePorts[]> {
  const held: number[] = [];
  while (held.length < 2 * count) {
    const { port } = await tryPort(0);
    if (!held.includes(port)) held.push(port);
  }
  return Array.from({ length: count }, (_, i) => ({ rpc: held[2 * i] as number, p2p: held[2 * i + 1] as number }));
}
