/**
 * The gas table against this machine: for each class of instructions, loops of nothing else, metered as models are. One
 * gas is meant to be a nanosecond; fewer nanoseconds a gas is dearer than it has to be, more is cheaper than it is.
 */
import { ECHO, guest } from '#test/vm/wat.ts';
import { type Entry, median, type Sample } from './harness.ts';
import { meteredCall, timed, warm } from './vm.ts';

const ROUNDS = 7;
/** Of the operation in a turn of the loop. */
const UNROLLED = 32;
const CHASE_PAGES = 4_096;

interface Probe {
  readonly name: string;
  /** Turns of the loop in one call. */
  readonly turns: number;
  readonly core: Uint8Array;
}

interface Body {
  readonly name: string;
  /** What a turn does, once; it may use `$x` (i32), `$y` (i64), `$f`, `$d`, `$v`, `$w`, `$i`. */
  readonly once: string;
  readonly times?: number;
  readonly turns?: number;
  readonly fields?: string;
  readonly before?: string;
  readonly memory?: string;
}

function probe({
  name,
  once,
  times = UNROLLED,
  turns = 20_000,
  fields = '',
  before = '',
  memory = '4 16',
}: Body): Probe {
  const infer = `(local $i i32) (local $x i32) (local $y i64) (local $f f32) (local $d f64) (local $v v128) (local $w v128)
    (local.set $x (i32.const 12345)) (local.set $y (i64.const 987654321)) (local.set $f (f32.const 1.25))
    (local.set $d (f64.const 1.25)) (local.set $v (v128.const f32x4 1.25 1.5 1.75 2.5))
    (local.set $w (v128.const f32x4 1.0625 1.125 1.25 1.5)) ${before}
    (loop $l ${once.repeat(times)}
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $l (i32.lt_u (local.get $i) (i32.const ${turns}))))
    (i32.store (i32.const 2048) (local.get $x)) (i64.store (i32.const 2056) (local.get $y))
    (f32.store (i32.const 2064) (local.get $f)) (f64.store (i32.const 2072) (local.get $d))
    (v128.store (i32.const 2080) (local.get $v)) ${ECHO}`;
  return { name, turns: turns * times, core: guest({ fields, infer, memory }) };
}

const set = (local: string, value: string) => `(local.set $${local} ${value})`;
const X = '(local.get $x)';
const Y = '(local.get $y)';
const D = '(local.get $d)';
const V = '(local.get $v)';
const W = '(local.get $w)';
const RANDOM = set('x', `(i32.add (i32.mul ${X} (i32.const 1664525)) (i32.const 1013904223))`);

/** Each depends on the one before: what a program pays that cannot do two things at once. */
const BODIES: readonly Body[] = [
  { name: 'simple: i32.xor, i32.add', once: set('x', `(i32.xor (i32.add ${X} (i32.const 7)) (local.get $i))`) },
  {
    name: 'memory: i32.load, cached',
    once: set('x', `(i32.and (i32.load offset=1024 ${X}) (i32.const 0))`),
    before: set('x', '(i32.const 0)'),
  },
  { name: 'memory: i64.store, cached', once: `(i64.store offset=4096 (i32.and (local.get $i) (i32.const 4088)) ${Y})` },
  { name: 'mul: i64.mul', once: set('y', `(i64.mul ${Y} (i64.or ${Y} (i64.const 1)))`) },
  { name: 'div: i64.div_u', once: set('y', `(i64.add (i64.div_u ${Y} (i64.const 3)) (i64.const 0x7fffffffffff))`) },
  {
    name: 'div: i64.rem_s by a variable',
    once: set(
      'y',
      `(i64.add (i64.rem_s (i64.const 0x7fffffffffffffff) (i64.or ${Y} (i64.const 1))) (i64.const 77777777))`,
    ),
  },
  { name: 'float: f64.mul, f64.add', once: set('d', `(f64.add (f64.mul ${D} (f64.const 0.75)) (f64.const 0.5))`) },
  {
    name: 'float: trunc, convert',
    once: set('d', `(f64.convert_i64_s (i64.trunc_sat_f64_s (f64.add ${D} (f64.const 1))))`),
  },
  { name: 'floatDiv: f64.div, f64.sqrt', once: set('d', `(f64.sqrt (f64.div (f64.const 3.5) ${D}))`) },
  { name: 'simd: i32x4.add, v128.xor', once: set('v', `(v128.xor (i32x4.add ${V} ${W}) ${W})`) },
  { name: 'simdFloat: f32x4.mul, f32x4.add', once: set('v', `(f32x4.add (f32x4.mul ${V} ${W}) ${W})`) },
  { name: 'simdFloatDiv: f64x2.div, f64x2.sqrt', once: set('v', `(f64x2.sqrt (f64x2.div ${W} ${V}))`) },
  { name: 'simdSlow: i64x2.mul', once: set('v', `(i64x2.mul ${V} ${W})`) },
  { name: 'simdSlow: i8x16.popcnt, i8x16.shl', once: set('v', `(i8x16.shl (i8x16.popcnt ${V}) (local.get $i))`) },
  { name: 'simdSlow: trunc_sat, convert', once: set('v', `(f32x4.convert_i32x4_u (i32x4.trunc_sat_f32x4_u ${V}))`) },
  { name: 'NaNs seen: f32x4.add, v128.not', once: set('v', `(v128.not (f32x4.add ${V} ${W}))`) },
  {
    name: 'NaNs seen: f64x2.mul, v128.not',
    once: set('v', `(v128.not (f64x2.mul ${V} ${W}))`),
  },
  {
    name: 'NaNs by chance: f64.sqrt, f64.store',
    once: `${RANDOM} (f64.store (i32.const 4096) (f64.sqrt (f64.convert_i32_s ${X})))`,
  },
  {
    name: 'select: of v128 by chance',
    once: `${RANDOM} ${set('v', `(select (i32x4.add ${V} ${W}) ${W} (i32.lt_s ${X} (i32.const 0)))`)}`,
  },
  {
    name: 'branch: taken by chance',
    once: `${RANDOM} (if (i32.lt_s ${X} (i32.const 0)) (then ${set('y', `(i64.add ${Y} (i64.const 3))`)}) (else ${set('y', `(i64.rotl ${Y} (i64.const 5))`)} (i32.store offset=4096 (i32.const 0) ${X})))`,
  },
  {
    name: 'brTable: by chance',
    once: `${RANDOM} (block (block (block (block (br_table 0 1 2 3 (i32.shr_u ${X} (i32.const 30)))) ${set('y', `(i64.add ${Y} (i64.const 1))`)}) ${set('y', `(i64.rotl ${Y} (i64.const 3))`)}) (i32.store offset=4096 (i32.const 0) ${X}))`,
  },
  {
    name: 'call',
    fields: '(func $f (param i32) (result i32) (i32.add (local.get 0) (i32.const 3)))',
    once: set('x', `(call $f ${X})`),
  },
  {
    name: 'call of a function that calls',
    fields:
      '(func $f (param i32) (result i32) (if (i32.eqz (local.get 0)) (then (drop (call $g (i32.const 0))))) (i32.add (local.get 0) (i32.const 3))) (func $g (param i32) (result i32) (call $f (i32.const 1)))',
    once: set('x', `(call $f (i32.or ${X} (i32.const 1)))`),
  },
  {
    name: 'callIndirect',
    fields:
      '(table funcref (elem $f $g)) (type $t (func (param i32) (result i32))) (func $f (type $t) (i32.add (local.get 0) (i32.const 3))) (func $g (type $t) (i32.xor (local.get 0) (i32.const 5)))',
    once: set('x', `(call_indirect (type $t) ${X} (i32.and (local.get $i) (i32.const 1)))`),
  },
  {
    name: 'loop header',
    once: `${set('x', '(i32.const 0)')} (loop $m ${set('x', `(i32.add ${X} (i32.const 1))`)} (br_if $m (i32.lt_u ${X} (i32.const 100))))`,
    times: 1,
  },
  {
    name: 'memory.fill of 16 bytes',
    once: '(memory.fill (i32.const 4096) (i32.const 1) (i32.const 16))',
    turns: 1_000,
  },
  {
    name: 'memory.copy of 64 KiB',
    once: '(memory.copy (i32.const 65536) (i32.const 131072) (i32.const 65536))',
    times: 1,
    turns: 50,
  },
  {
    name: 'memory.copy of 64 MiB',
    once: '(memory.copy (i32.const 65536) (i32.const 134217728) (i32.const 67108864))',
    times: 1,
    turns: 1,
    memory: `${CHASE_PAGES} ${CHASE_PAGES}`,
  },
  {
    name: 'table.copy of 1,000 entries',
    fields: `(table 2000 funcref) (elem (i32.const 0) ${'$f '.repeat(2_000)}) (func $f)`,
    once: '(table.copy (i32.const 0) (i32.const 1000) (i32.const 1000))',
    times: 1,
    turns: 50,
  },
  {
    name: 'table.init of 1,000 entries',
    fields: `(table 2000 funcref) (elem $e func ${'$f '.repeat(1_000)}) (func $f)`,
    once: '(table.init $e (i32.const 0) (i32.const 0) (i32.const 1000))',
    times: 1,
    turns: 50,
  },
];

/** Somewhere in the first `2^log2` bytes, a multiple of 64, by the upper bits of `$x`. */
function somewhere(log2: number): string {
  return `(i32.and (i32.shr_u ${X} (i32.const ${31 - log2})) (i32.const ${2 ** log2 - 64}))`;
}

const next = (value: string) => set('x', `(i32.add (i32.mul ${value} (i32.const 1664525)) (i32.const 1013904223))`);

/** Patterns of access to a memory of `2^log2` bytes. */
function misses(log2: number): readonly Body[] {
  const at = somewhere(log2);
  const pages = 2 ** (log2 - 16);
  const shared = { turns: 1_000, memory: `${pages} ${pages}` };
  const where = pages < 16 ? `${pages * 64} KiB` : `${pages >> 4} MiB`;
  return [
    { ...shared, name: `${where}: loads one after the other`, once: next(`(i32.xor ${X} (i32.load ${at}))`) },
    {
      ...shared,
      name: `${where}: vector loads one after the other`,
      once: next(`(i32.xor ${X} (i32x4.extract_lane 0 (v128.load ${at})))`),
    },
    {
      ...shared,
      name: `${where}: vector loads at once`,
      once: `${RANDOM} ${set('v', `(v128.xor ${V} (v128.load ${at}))`)}`,
    },
    { ...shared, name: `${where}: stores`, once: `${RANDOM} (i64.store ${at} ${Y})` },
  ];
}

/** So many operations that wait for a load that the processor looks no further ahead. */
function waiting(count: number): string {
  return `${'(i8x16.neg '.repeat(count)}(v128.load ${somewhere(26)})${')'.repeat(count)}`;
}

const FUNCTIONS = 9_000;

/** A function of about 400 bytes of machine code, unlike the others. */
function ballast(i: number): string {
  const step = `(local.set 0 (i32.mul (i32.xor (local.get 0) (i32.const ${i * 7_919 + 13})) (i32.const ${2 * i + 1})))`;
  return `(func $f${i} (type $t) ${step.repeat(15)} (local.get 0))`;
}

/** What no static cost can see: the table bounds it by what the memory may reach. */
const MISSES: readonly Body[] = [
  ...[18, 20, 22, 23, 24, 26, 28].flatMap(misses),
  {
    name: '64 MiB: a vector load across two pages',
    once: `${RANDOM} ${set('v', `(v128.xor ${V} (v128.load offset=4088 (i32.and ${somewhere(26)} (i32.const 0x03ffe000))))`)}`,
    turns: 1_000,
    memory: '1024 1024',
  },
  {
    name: '64 MiB: a vector load that 96 operations wait for',
    once: `${RANDOM} ${set('v', `(v128.xor ${V} ${waiting(96)})`)}`,
    times: 8,
    turns: 500,
    memory: '1024 1024',
  },
  {
    name: '64 MiB: memory.copy of 16 bytes',
    once: `${RANDOM} (memory.copy ${somewhere(26)} (i32.and (i32.mul ${X} (i32.const 64)) (i32.const 0x03ffffc0)) (i32.const 16))`,
    turns: 300,
    memory: '1024 1024',
  },
  {
    name: 'a store of a byte, then a load of four',
    once: `(i32.store8 (i32.const 4096) ${X}) ${set('x', '(i32.load (i32.const 4096))')}`,
  },
  {
    name: 'v128.load, v128.store of the same place',
    once: `(v128.store (i32.const 4096) (v128.xor (v128.load (i32.const 4096)) ${W}))`,
  },
  {
    name: `call_indirect of one of ${FUNCTIONS} functions`,
    fields: `(type $t (func (param i32) (result i32))) (table funcref (elem ${Array.from({ length: FUNCTIONS }, (_, i) => `$f${i}`).join(' ')}))
      ${Array.from({ length: FUNCTIONS }, (_, i) => ballast(i)).join(' ')}`,
    once: `${RANDOM} ${set('x', `(call_indirect (type $t) ${X} (i32.rem_u (i32.shr_u ${X} (i32.const 8)) (i32.const ${FUNCTIONS})))`)}`,
    times: 1,
    turns: 40_000,
  },
];

/** Memory is there before the clock runs, as it is where a program has written to it. */
function touched(body: Body): Body {
  if (body.memory === undefined) return body;
  const bytes = Number(body.memory.split(' ')[0]) * 65_536;
  const before = `(memory.fill (i32.const 4096) (i32.const 3) (i32.const ${bytes - 4096}))`;
  return { ...body, before: `(if (i32.eqz (i32.load (i32.const ${bytes - 4}))) (then ${before}))` };
}

const ALL = [...BODIES, ...MISSES];

async function run(): Promise<Sample> {
  const out: Record<string, number> = {};
  for (const body of ALL) {
    const { name, core, turns } = probe(touched(body));
    const { call, gas } = meteredCall({ name, core, input: new Uint8Array(8), operations: 0 });
    const calls = await warm(call);
    const ms = median(Array.from({ length: ROUNDS }, () => timed(call, calls)));
    out[`${name}: time`] = (ms * 1e6) / turns;
    out[`${name}: gas`] = gas / turns;
    out[`${name}: ns a gas`] = (ms * 1e6) / gas;
  }
  return out;
}

export const vmGas: Entry = {
  name: 'vm-gas',
  description:
    'what each class of the gas table takes here, in loops of it alone, with what belongs to them (1 ns/gas is calibrated; at most 1.5 where the first cache has it, 6 where not)',
  metrics: ALL.flatMap(({ name }) => [
    { name: `${name}: time`, unit: 'ns', better: 'lower' as const },
    { name: `${name}: gas`, unit: 'gas', better: 'lower' as const },
    { name: `${name}: ns a gas`, unit: 'ns/gas', better: 'lower' as const },
  ]),
  runs: 3,
  run,
};
