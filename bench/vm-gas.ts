/**
 * The gas table against this machine: for each class of instructions, loops of nothing else, metered as models are. One
 * gas is meant to be a nanosecond; more gas a nanosecond is dearer than it has to be, less is cheaper than it is.
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
/** Anywhere in 256 MiB, a multiple of 64. */
const ANYWHERE = `(i32.and (i32.shl ${X} (i32.const 1)) (i32.const 0x0fffffc0))`;

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
    fields: '(table 2000 funcref)',
    once: '(table.copy (i32.const 0) (i32.const 1000) (i32.const 1000))',
    times: 1,
    turns: 50,
  },
];

/** What no static cost can see. */
const MISSES: readonly Body[] = [
  {
    name: 'loads that miss, one after the other',
    once: `${set('x', `(i32.add (i32.mul (i32.xor ${X} (i32.load ${ANYWHERE})) (i32.const 1664525)) (i32.const 1013904223))`)}`,
    turns: 1_000,
    memory: `${CHASE_PAGES} ${CHASE_PAGES}`,
  },
  {
    name: 'loads that miss, all at once',
    once: `${RANDOM} ${set('y', `(i64.add ${Y} (i64.load ${ANYWHERE}))`)}`,
    turns: 1_000,
    memory: `${CHASE_PAGES} ${CHASE_PAGES}`,
  },
  {
    name: 'stores that miss',
    once: `${RANDOM} (i64.store ${ANYWHERE} ${Y})`,
    turns: 1_000,
    memory: `${CHASE_PAGES} ${CHASE_PAGES}`,
  },
  {
    name: 'loads that miss within 64 MiB',
    once: `${set('x', `(i32.add (i32.mul (i32.xor ${X} (i32.load (i32.and (i32.shr_u ${X} (i32.const 2)) (i32.const 0x03ffffc0)))) (i32.const 1664525)) (i32.const 1013904223))`)}`,
    turns: 1_000,
    memory: '1024 1024',
  },
  {
    name: 'loads that miss within 4 MiB',
    once: `${set('x', `(i32.add (i32.mul (i32.xor ${X} (i32.load (i32.and (i32.shr_u ${X} (i32.const 6)) (i32.const 0x003fffc0)))) (i32.const 1664525)) (i32.const 1013904223))`)}`,
    turns: 1_000,
    memory: '64 64',
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
    out[`${name}: gas rate`] = gas / (ms * 1e6);
  }
  return out;
}

export const vmGas: Entry = {
  name: 'vm-gas',
  description:
    'what each class of the gas table takes here, in loops of it alone, with what belongs to them (1 gas/ns is calibrated)',
  metrics: ALL.flatMap(({ name }) => [
    { name: `${name}: time`, unit: 'ns', better: 'lower' as const },
    { name: `${name}: gas`, unit: 'gas', better: 'lower' as const },
    { name: `${name}: gas rate`, unit: 'gas/ns', better: 'higher' as const },
  ]),
  runs: 3,
  run,
};
