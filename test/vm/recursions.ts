/** Module fields with a function `$r` that never returns, in shapes that fill an engine's stack in different ways. */
export const RECURSIONS: Readonly<Record<string, string>> = {
  plain: '(func $r (call $r))',
  'through a table': `(table funcref (elem $r)) (type $t (func)) (func $r (call_indirect (type $t) (i32.const 0)))`,
  mutual: '(func $r (call $s)) (func $s (call $r))',
  'with many vector locals': `(func $r (local ${'v128 '.repeat(200)}) (call $r))`,
  'with many results': `(func $q (result i64 i64 i64 i64) (call $q))
    (func $r (call $q) (drop) (drop) (drop) (drop))`,
  'with a high operand stack': `(func $q (result i64) (i64.const 1) ${'(i64.const 2)'.repeat(300)} (call $q)
    ${'(i64.add)'.repeat(301)}) (func $r (drop (call $q)))`,
  'with many loads': `(func $q (result i64) ${'(i64.load (i32.const 0))'.repeat(100)} (call $q) ${'(i64.add)'.repeat(100)})
    (func $r (drop (call $q)))`,
};
