import { createServer } from 'node:http';
import { build } from 'vite';
import { onTestFinished } from 'vitest';

export interface PageFiles {
  /** The module that the page runs. */
  readonly page: string;
  /** A module for a worker, as `/worker.js`. */
  readonly worker?: string;
  /** Other things to fetch, by path. */
  readonly bytes?: ReadonlyMap<string, Uint8Array>;
}

const SHELL = '<!doctype html><meta charset="utf-8"><title>test</title><script type="module" src="/page.js"></script>';

/**
 * Bundles modules for browsers and serves them as a page of its own origin. A Node built-in in what they import is an
 * error of the bundler.
 */
export async function servePage(files: PageFiles): Promise<string> {
  const scripts = new Map([['/page.js', await bundle(files.page)]]);
  if (files.worker !== undefined) scripts.set('/worker.js', await bundle(files.worker));
  const server = createServer((request, reply) => {
    const path = request.url ?? '';
    const script = scripts.get(path);
    const bytes = files.bytes?.get(path);
    if (path === '/') reply.setHeader('content-type', 'text/html').end(SHELL);
    else if (script !== undefined) reply.setHeader('content-type', 'text/javascript').end(script);
    else if (bytes !== undefined) reply.setHeader('content-type', 'application/octet-stream').end(bytes);
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
