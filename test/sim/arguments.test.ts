import fc from 'fast-check';
import { expect, test } from 'vitest';
import { optionsOf, readArguments, replayCommand, type SeedArguments } from './arguments.ts';
import { BYZANTINE_KINDS } from './options.ts';

function errorOf(...args: string[]): string {
  const read = readArguments(args);
  return read.ok ? '' : read.error;
}

test.each([
  [['--foo'], "Unknown option '--foo'"],
  [['seeds'], "Unexpected argument 'seeds'"],
  [['--seeds'], "'--seeds"],
  [['--seeds', 'many'], '--seeds: expected a whole number from 1 to 4294967295, got "many"'],
  [['--seeds', '0'], '--seeds: expected a whole number from 1'],
  [['--from', '-1'], '--from'],
  [['--from', '4294967295', '--seeds', '2'], '--seeds: expected a whole number from 1 to 1, got "2"'],
  [['--nodes', '4..'], '--nodes: expected a number or a range such as 4..16, got "4.."'],
  [['--nodes', '7..4'], '--nodes: expected a range that ascends'],
  [['--nodes', '4', '--byzantine', '4'], '--byzantine: expected a whole number from 0 to 3'],
  [['--kind', 'twins,rude'], '--kind: expected one of twins, equivocate'],
  [['--chaos', '1e3'], '--chaos: expected a whole number of 0 or more, got "1e3"'],
  [['--minutes', '0'], '--minutes: expected a number of minutes'],
  [['--states', '5'], '--states has no meaning here'],
  [['--exhaustive', '--seeds', '5'], '--seeds has no meaning with --exhaustive'],
  [['--latency', 'moon'], '--latency: expected one of lan, wan, got moon'],
])('%j is refused with a reason', (args, reason) => {
  expect(errorOf(...args)).toContain(reason);
});

test('help is a mode of its own, whatever else is said', () => {
  expect(readArguments(['--help', '--seeds', '5'])).toEqual({ ok: true, value: { mode: 'help' } });
  expect(readArguments(['-h'])).toEqual({ ok: true, value: { mode: 'help' } });
});

function seedArguments(args: readonly string[]): SeedArguments {
  const read = readArguments(args);
  if (!read.ok || read.value.mode !== 'seeds') throw new Error(read.ok ? read.value.mode : read.error);
  return read.value;
}

test('the replay command of any seed of any run names that very simulation', () => {
  const run = fc.record({
    seed: fc.nat(100_000),
    nodes: fc.tuple(fc.integer({ min: 1, max: 9 }), fc.nat(5)).map(([low, more]) => `${low}..${low + more}`),
    kinds: fc.subarray([...BYZANTINE_KINDS]),
    chaos: fc.nat(20_000),
    heights: fc.integer({ min: 1, max: 40 }),
    settle: fc.constantFrom(0, 500, 3_000),
    flags: fc.subarray(['--no-crashes', '--plain']),
  });
  fc.assert(
    fc.property(run, ({ seed, nodes, kinds, chaos, heights, settle, flags }) => {
      const kind = kinds.length > 0 ? ['--kind', kinds.join()] : [];
      const rest = [
        '--nodes',
        nodes,
        '--chaos',
        String(chaos),
        '--heights',
        String(heights),
        '--settle',
        String(settle),
        ...kind,
        ...flags,
      ];
      const options = optionsOf(seedArguments(['--seeds', '1000', ...rest]), seed);
      const replay = replayCommand(options).split(' -- ')[1] ?? '';
      const again = seedArguments(replay.split(' '));
      expect(again).toMatchObject({ from: seed, seeds: 1 });
      expect(optionsOf(again, seed)).toEqual(options);
    }),
  );
});
