import { err, ok, type Result } from '#core/result.ts';
import { formatListenAddress, parseListenAddress } from '../config/address.ts';

/** Where the application is served, as CometBFT's `proxy_app` names it. */
export type AbciAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/** Longest path of a Unix socket that every system takes (sun_path less its end). */
const MAX_PATH_BYTES = 103;

/** `unix://path` (three slashes when the path is absolute) or `tcp://host:port`. */
export function parseAbciAddress(text: string): Result<AbciAddress, string> {
  if (text.startsWith('unix://')) {
    const path = text.slice('unix://'.length);
    if (path === '' || Buffer.byteLength(path) > MAX_PATH_BYTES)
      return err(`expected unix:// and a path of 1 … ${MAX_PATH_BYTES} bytes, got ${JSON.stringify(text)}`);
    return ok({ kind: 'unix', path });
  }
  const tcp = parseListenAddress(text);
  return tcp.ok
    ? ok({ kind: 'tcp', ...tcp.value })
    : err(`expected unix://path or tcp://host:port, got ${JSON.stringify(text)}`);
}

export function formatAbciAddress(address: AbciAddress): string {
  return address.kind === 'unix' ? `unix://${address.path}` : formatListenAddress(address);
}
