import { err, ok, type Result } from '#core/result.ts';
import type { Header } from '#core/types/header.ts';
import type { LightBlock } from '#core/types/light-block.ts';
import type { LightClient, LightFault } from '#light/client.ts';
import type { Answer, BackendError } from '#rpc/backend.ts';
import { readJson } from '#rpc/comet/json/reader.ts';
import { type RpcClient, RpcClientError } from '../client/rpc-client.ts';
import { NODE_LIMITS } from '../limits.ts';

/** What the proxy's methods work with: believed headers, and a full node that is not believed. */
export interface LightAccess {
  /** The believed block at `height`; undefined: the newest. */
  block(height: bigint | undefined): Promise<Answer<LightBlock>>;
  /** The believed header above `height`, which commits to what the block of `height` did. Waited for. */
  headerAbove(height: bigint): Promise<Answer<Header>>;
  /** The primary's answer, as it came. */
  ask(method: string, params: Readonly<Record<string, unknown>>): Promise<Answer<unknown>>;
  /** The primary's answer, read and checked. */
  askChecked<T>(
    method: string,
    params: Readonly<Record<string, unknown>>,
    check: (answer: unknown) => Result<T, string>,
  ): Promise<Answer<T>>;
}

const unavailable = (message: string) => err<BackendError>({ kind: 'unavailable', message });

function believed(outcome: Result<LightBlock, LightFault>): Answer<LightBlock> {
  return outcome.ok ? outcome : unavailable(`not verified (${outcome.error.kind}): ${outcome.error.message}`);
}

export function createLightAccess(
  client: LightClient,
  sources: ReadonlyMap<string, RpcClient>,
  wait: (ms: number) => Promise<void>,
): LightAccess {
  const access: LightAccess = {
    async block(height) {
      return believed(await (height === undefined ? client.update() : client.verifyAt(height)));
    },
    async headerAbove(height) {
      for (let waited = 0; ; waited += NODE_LIMITS.lightAwaitPollMs) {
        const newest = believed(await client.update());
        if (!newest.ok) return newest;
        if (newest.value.header.height > height) break;
        if (waited >= NODE_LIMITS.lightAwaitMs)
          return unavailable(`the header of height ${height + 1n}, which proves this, has not been made yet`);
        await wait(NODE_LIMITS.lightAwaitPollMs);
      }
      const above = await access.block(height + 1n);
      return above.ok ? ok(above.value.header) : above;
    },
    async ask(method, params) {
      // The light client may have replaced the primary that it began with.
      const rpc = sources.get(client.sources().primary);
      if (rpc === undefined) return unavailable('there is no source to ask');
      try {
        return ok(await rpc.call<unknown>(method, params));
      } catch (error) {
        if (error instanceof RpcClientError) return unavailable(`${rpc.url}: ${error.message}`);
        throw error;
      }
    },
    async askChecked(method, params, check) {
      const answer = await access.ask(method, params);
      if (!answer.ok) return answer;
      const read = readJson(() => check(answer.value));
      const checked = read.ok ? read.value : read;
      return checked.ok
        ? checked
        : unavailable(`${client.sources().primary} has answered ${method} with what does not verify: ${checked.error}`);
    },
  };
  return access;
}
