/** What passes on the ABCI sockets, one JSON object a line: for finding out which side is wrong when hashes differ. */
import { appendFileSync } from 'node:fs';
import { toBase64 } from '#core/bytes.ts';
import type { AbciExchange } from './server.ts';

/**
 * Appends to `path`: `{"connection","call","request","response"}`, the last two in base64, encoded as
 * tendermint.abci.Request and Response. Flushes and echoes are left out.
 */
export function exchangeLog(path: string): (exchange: AbciExchange) => void {
  return ({ connection, kind, request, response }) => {
    if (kind === 'flush' || kind === 'echo') return;
    const line = { connection, call: kind, request: toBase64(request), response: toBase64(response) };
    appendFileSync(path, `${JSON.stringify(line)}\n`, { mode: 0o600 });
  };
}
