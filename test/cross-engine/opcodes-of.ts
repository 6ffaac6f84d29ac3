import { MODULE_LIMITS } from '#vm/limits.ts';
import { decode, newInstruction } from '#vm/wasm/instruction.ts';
import { parseModule } from '#vm/wasm/parse.ts';
import { reader } from '#vm/wasm/reader.ts';

/** Names of the instructions in a module. */
export function opcodesOf(core: Uint8Array): Set<string> {
  const module = parseModule(core, { limits: MODULE_LIMITS });
  if (!module.ok) throw new Error(module.error.message);
  const names = new Set<string>();
  const into = newInstruction();
  for (const { code } of module.value.bodies) {
    const r = reader(core, code.start, code.end);
    while (r.at < r.end) {
      decode(r, into, MODULE_LIMITS.brTableLabels);
      names.add(into.op.name);
    }
  }
  return names;
}
