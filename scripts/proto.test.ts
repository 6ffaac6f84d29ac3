import { expect, test } from 'vitest';
import { compareTrees } from './proto.ts';

const committed = new Map([
  ['a_pb.ts', '1'],
  ['b_pb.ts', '2'],
]);

test('equal trees', () => {
  expect(compareTrees(committed, new Map(committed))).toEqual([]);
});

test('missing, left over and different files are named', () => {
  const fresh = new Map([
    ['a_pb.ts', '1 changed'],
    ['c_pb.ts', '3'],
  ]);
  expect(compareTrees(committed, fresh)).toEqual([
    'c_pb.ts is not committed',
    'b_pb.ts comes from no .proto file',
    'a_pb.ts differs',
  ]);
});
