import { createServer, type IncomingMessage } from 'node:http';
import { onTestFinished } from 'vitest';
import type { TestNode } from './network.ts';

/** Alters one answer of a node; what it returns goes out. */
export type Lie = (
  result: Record<string, unknown>,
  params: Readonly<Record<string, unknown>>,
) => Record<string, unknown> | Promise<Record<string, unknown>>;

export interface LyingNode {
  readonly url: string;
  /** By method. */
  readonly lies: Map<string, Lie>;
}

interface Envelope {
  readonly result?: Record<string, unknown>;
}

/** An RPC that passes everything on to an honest node, and lies where it is told to. Ends with the test. */
export async function startLyingNode(node: TestNode): Promise<LyingNode> {
  const lies = new Map<string, Lie>();
  const server = createServer(async (request, reply) => {
    // Web pages may ask too, and ask first whether they may.
    reply.setHeader('access-control-allow-origin', '*').setHeader('access-control-allow-headers', 'content-type');
    if (request.method === 'OPTIONS') {
      reply.writeHead(204).end();
      return;
    }
    const body = await bodyOf(request);
    const { method, params } = JSON.parse(body) as { method: string; params: Record<string, unknown> };
    const answer = await fetch(node.rpcUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    const envelope = (await answer.json()) as Envelope;
    const lie = lies.get(method);
    const altered =
      lie === undefined || (envelope.result === undefined && method !== 'commit' && method !== 'validators')
        ? envelope
        : { jsonrpc: '2.0', id: 1, result: await lie(envelope.result ?? {}, params) };
    reply.setHeader('content-type', 'application/json').end(JSON.stringify(altered));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return { url: `http://127.0.0.1:${address.port}`, lies };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
