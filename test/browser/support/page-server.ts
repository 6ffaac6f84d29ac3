import { createServer } from 'node:http';
import { build } from 'vite';
import { onTestFinished } from 'vitest';

/**
 * Bundles a module for browsers and serves it as a page of its own origin. A Node built-in in what it imports is an
 * error of the bundler.
 */
export async function servePage(entry: string): Promise<string> {
  const script = await bundle(entry);
  const server = createServer((request, reply) => {
    if (request.url === '/page.js') reply.setHeader('content-type', 'text/javascript').end(script);
    else if (request.url === '/')
      reply
        .setHeader('content-type', 'text/html')
        .end('<!doctype html><meta charset="utf-8"><title>test</title><script type="module" src="/page.js"></script>');
    else reply.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return `http://127.0.0.1:${address.port}`;
}

async function bundle(entry: string): Promise<string> {
  const built = await build({
    configFile: false,
    logLevel: 'error',
    build: {
      write: false,
      minify: false,
      target: 'esnext',
      rollupOptions: {
        input: entry,
        output: { format: 'es', codeSplitting: false },
        onLog(level, log) {
          if (level === 'warn') throw new Error(`${entry}: ${log.message}`);
        },
      },
    },
  });
  const outputs = [built].flat().flatMap((one) => ('output' in one ? one.output : []));
  const code = outputs.find((output) => output.type === 'chunk')?.code;
  if (code === undefined || outputs.length !== 1)
    throw new Error(`${entry}: expected one script, got ${outputs.length}`);
  return code;
}
