import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toHex } from '#core/bytes.ts';
import type { Kv } from '#core/ports/kv.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { GenerationCache } from '../generation-cache.ts';
import { idOf } from '../key-id.ts';
import { ROOT } from './arena.ts';
import { TreeEditor } from './editor.ts';
import { NodeStore } from './node-store.ts';
import { Tree } from './tree.ts';

const key = fc.uint8Array({ minLength: 1, maxLength: 2, max: 12 });
const op = fc.record({ key, value: fc.option(fc.nat(255), { freq: 3 }) });
const versions = fc.array(fc.array(op, { maxLength: 40 }), { minLength: 1, maxLength: 6 });

/** Nodes that can be reached without loading any. */
function residents(tree: Tree, link = ROOT): number {
  const { arena } = tree;
  const node = arena.slot(link);
  if (arena.height(link) === 0 || node === 0) return 0;
  return 1 + residents(tree, 2 * node) + residents(tree, 2 * node + 1);
}

/** An AVL tree whose inner keys are the least keys of their right subtrees; answers its leaves' keys. */
function checked(tree: Tree, link = ROOT): string[] {
  const { arena } = tree;
  if (arena.height(link) === 0) return arena.size(link) === 0 ? [] : [idOf(tree.leaf(link).key)];
  const node = tree.inner(link);
  const [left, right] = [checked(tree, 2 * node), checked(tree, 2 * node + 1)];
  const [inLeft, inRight] = [arena.height(2 * node), arena.height(2 * node + 1)];
  expect(Math.abs(inLeft - inRight)).toBeLessThanOrEqual(1);
  expect(arena.height(link)).toBe(Math.max(inLeft, inRight) + 1);
  expect(arena.size(link)).toBe(left.length + right.length);
  expect(arena.keyOf(node)).toBe(right[0]);
  return [...left, ...right];
}

test('evicting what one likes between versions changes nothing, and no resident node is lost track of', async () => {
  await fc.assert(
    fc.asyncProperty(versions, fc.array(fc.nat(12), { minLength: 1, maxLength: 6 }), async (history, limits) => {
      const kv = new MemoryKv();
      const make = () => new Tree(new NodeStore(kv, 't', new GenerationCache(2000)), undefined);
      const [evicting, keeping, model] = [make(), make(), new Map<string, number>()];
      for (const [i, ops] of history.entries()) {
        const editors = [new TreeEditor(evicting), new TreeEditor(keeping)];
        for (const { key: at, value } of ops) {
          const id = idOf(at);
          for (const editor of editors) {
            if (value === null) expect(editor.remove(at)).toBe(model.has(id));
            else editor.set(at, Uint8Array.of(value));
            expect(editor.get(at)).toEqual(value === null ? undefined : Uint8Array.of(value));
          }
          if (value === null) model.delete(id);
          else model.set(id, value);
        }
        const [a, b] = editors.map((editor) => editor.seal(i + 1));
        if (a === undefined || b === undefined) throw new Error('two editors');
        expect([toHex(a.hash), a.root, a.orphans]).toEqual([toHex(b.hash), b.root, b.orphans]);
        expect(a.puts).toEqual(b.puts);
        await kv.write(a.puts);
        expect([residents(evicting), residents(keeping)]).toEqual([evicting.arena.count, keeping.arena.count]);
        const limit = limits[i % limits.length] ?? 0;
        evicting.trim(limit);
        expect(residents(evicting)).toBe(evicting.arena.count);
        expect(evicting.arena.count).toBeLessThanOrEqual(limit);
        expect(checked(keeping)).toEqual([...model.keys()].sort((x, y) => (x < y ? -1 : 1)));
      }
    }),
    { numRuns: 80 },
  );
});

test('an overwrite and a read of presence load no leaf', async () => {
  const kv = new MemoryKv();
  const reads: string[] = [];
  const counting: Kv = {
    get: (at) => {
      reads.push(toHex(at));
      return kv.get(at);
    },
    entries: (range) => kv.entries(range),
    write: (ops) => kv.write(ops),
    close: () => kv.close(),
  };
  const tree = new Tree(new NodeStore(counting, 't', new GenerationCache(0)), undefined);
  const first = new TreeEditor(tree);
  for (let i = 0; i < 100; i++) first.set(Uint8Array.of(i), Uint8Array.of(1));
  await kv.write(first.seal(1).puts);
  const second = new TreeEditor(tree);
  for (let i = 1; i < 100; i++) {
    expect(tree.has(idOf(Uint8Array.of(i)))).toBe(true);
    second.set(Uint8Array.of(i), Uint8Array.of(2));
  }
  second.seal(2);
  expect(reads).toEqual([]);
});
