import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { startLyingNode } from '#test/e2e/support/lying-node.ts';
import { createTestNetwork, type TestNode } from '#test/e2e/support/network.ts';
import type { FollowAnswer, FollowRequest, LightPage } from './light-page.ts';
import { openPage } from './support/chromium.ts';
import { servePage } from './support/page-server.ts';

const PAGE = fileURLToPath(new URL('light-page.ts', import.meta.url));

const follow = (page: Page, request: FollowRequest): Promise<FollowAnswer> =>
  page.evaluate((asked) => (globalThis as unknown as { page: LightPage }).page.followChain(asked), request);

interface BlockAnswer {
  readonly block_id: { readonly hash: string };
  readonly block: { readonly header: { readonly app_hash: string } };
}

async function blockAt(node: TestNode, height: number): Promise<{ hash: string; appHash: string }> {
  const { block_id, block } = await node.rpc.call<BlockAnswer>('block', { height: String(height) });
  return { hash: block_id.hash.toLowerCase(), appHash: block.header.app_hash.toLowerCase() };
}

test('a page follows the chain by the light client, and does not believe a node that lies', async () => {
  const origin = await servePage({ page: PAGE });
  const net = await createTestNetwork({
    validators: 2,
    fullNodes: 1,
    config: { 'rpc.cors_allowed_origins': origin },
  });
  for (const node of net.nodes) node.start();
  const height = 6;
  await Promise.all(net.nodes.map((node) => node.waitForHeight(BigInt(height) + 1n)));
  const page = await openPage(origin);
  const root = { height: 1, hash: (await blockAt(net.node(0), 1)).hash };
  const asked = { chainId: 'e2e', primary: net.node(0).rpcUrl, witness: net.node(2).rpcUrl, root, height };
  expect(await follow(page, asked)).toEqual(await blockAt(net.node(1), height));

  const otherRoot = await follow(page, { ...asked, root: { height: 1, hash: 'ab'.repeat(32) } });
  expect(otherRoot.fault?.kind).toBe('no-root');

  const liar = await startLyingNode(net.node(0));
  liar.lies.set('commit', (result, params) => {
    if (params.height !== String(height)) return result;
    const { signed_header } = structuredClone(result) as { signed_header: { header: { app_hash: string } } };
    signed_header.header.app_hash = 'AB'.repeat(32);
    return { ...result, signed_header };
  });
  const lied = await follow(page, { ...asked, primary: liar.url });
  expect(lied.fault?.kind).toBe('invalid');
  const witnessLied = await follow(page, { ...asked, witness: liar.url });
  expect(witnessLied.fault?.kind).toBe('no-witness');
});
