import { expect, test } from 'vitest';
import { trusting } from '#consensus/test-kit.ts';
import { EMPTY, utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { ed25519Key } from '#core/crypto/pubkey.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { toHeight } from '#core/types/brand.ts';
import { DEFAULT_CONSENSUS_PARAMS } from '#core/types/consensus-params.ts';
import { fromMillis } from '#core/types/timestamp.ts';
import { openBlockStore } from '#node/driver/block-store.ts';
import { openEvidencePool } from '#node/driver/evidence-pool.ts';
import { handshake } from '#node/driver/handshake.ts';
import { noTxs } from '#node/driver/ports.ts';
import { openStateStore } from '#node/driver/state-store.ts';
import { openSimApp } from './app.ts';

test('an application with blocks is not begun anew when the consensus state is lost', async () => {
  const validators = [{ publicKey: ed25519Key(sha256(utf8('validator'))), power: 1n }];
  const genesis = {
    chainId: 'handshake',
    initialHeight: toHeight(1n),
    time: fromMillis(1_767_225_600_000n),
    params: DEFAULT_CONSENSUS_PARAMS,
    validators,
    appHash: EMPTY,
    appStateBytes: EMPTY,
  };
  const app = openSimApp(new MemoryKv(), { validators, extensionsFrom: 0n, pinned: 1 });
  let begun = 0;
  const ahead = {
    ...app,
    info: () => ({ ...app.info(), lastBlockHeight: toHeight(7n) }),
    initChain: (request: Parameters<typeof app.initChain>[0]) => {
      begun++;
      return app.initChain(request);
    },
  };
  const kv = new MemoryKv();
  const blocks = openBlockStore(kv);
  const states = openStateStore(kv);
  const evidence = openEvidencePool(kv, { blocks, states }, trusting);
  const deps = { app: ahead, blocks, states, evidence, txs: noTxs, logger: silentLogger, onCommitted: () => {} };
  await expect(handshake(deps, genesis, trusting)).rejects.toThrow(
    'the application is at height 7, but the consensus state is lost: expected both or neither',
  );
  expect(begun).toBe(0);
});
