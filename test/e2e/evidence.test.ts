import { expect, test } from 'vitest';
import { blockFacts, createTestNetwork, type LogLine, type TestNode, until } from './support/network.ts';

const DOUBLE_SIGNER = 'test/e2e/support/double-signing-node.ts';
const TELLING = 'test/e2e/support/telling-node.ts';

interface Told extends LogLine {
  readonly kind: string;
  readonly validator: string;
  readonly of: string;
  readonly in: string;
}

async function told(node: TestNode): Promise<readonly Told[]> {
  const lines = await node.log();
  return lines.filter((line): line is Told => line.msg === 'the application is told of misbehavior');
}

test('a validator that signs twice is caught: evidence in blocks, the application told, once for each crime', async () => {
  const net = await createTestNetwork({ validators: 4 });
  const honest = net.nodes.slice(0, 3);
  for (const node of honest) node.start(TELLING);
  net.node(3).start(DOUBLE_SIGNER);
  await until('the application of every honest node is told', async () => {
    const all = await Promise.all(honest.map(told));
    return all.every((lines) => lines.length > 0);
  });
  const [first] = await told(net.node(0));
  if (first === undefined) throw new Error('the first that was told');
  const status = await net.node(3).rpc.call<{ validator_info: { address: string } }>('status');
  expect(first).toMatchObject({ kind: 'duplicate-vote', validator: status.validator_info.address });
  const at = BigInt(first.in);
  await Promise.all(honest.map((node) => node.waitForHeight(at + 2n)));
  const facts = await Promise.all(honest.map((node) => blockFacts(node, at)));
  for (const each of facts) expect(each).toEqual(facts[0]);
  expect(facts[0]?.evidence).toBeGreaterThan(0);
  // The same crime is in one block only: what the nodes were told, they were told in the same order, and once.
  const lines = (await told(net.node(0))).map((line) => `${line.of} in ${line.in}`);
  const others = (await told(net.node(1))).map((line) => `${line.of} in ${line.in}`);
  const common = Math.min(lines.length, others.length);
  expect(lines.slice(0, common)).toEqual(others.slice(0, common));
  // A prevote and a precommit a height: never more than two crimes of one height.
  const byHeight = Map.groupBy(lines, (line) => line.split(' ')[0]);
  for (const [height, crimes] of byHeight) expect(crimes.length, `crimes of height ${height}`).toBeLessThanOrEqual(2);
});
