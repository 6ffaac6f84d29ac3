/**
 * Writes the rewritten modules of the cross-engine tests and their calls into a folder, for `record.py`:
 *
 *     node test/cross-engine/wasmtime/write-modules.ts <folder>
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toHex } from '#core/bytes.ts';
import { admitted } from '#test/vm/wat.ts';
import { MACHINE_VERSION } from '#vm/admission.ts';
import { modelCases, randomCases, shapeCases } from '../cases.ts';
import { rewrittenOf } from '../runner.ts';

const RANDOM_MODULES = 60;

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('usage: write-modules.ts <folder>');
mkdirSync(folder, { recursive: true });
const cases = [...shapeCases(), ...modelCases(), ...randomCases(0, RANDOM_MODULES)];
const calls = cases.map(({ name, core, input, seed, gasLimit }, i) => {
  const file = `${i}.wasm`;
  writeFileSync(join(folder, file), rewrittenOf(core));
  const globals = admitted(core).module.globalTypes.map(({ type }) => type);
  return { name, file, input: toHex(input), seed: String(seed), gasLimit: String(gasLimit), globals };
});
writeFileSync(join(folder, 'calls.json'), JSON.stringify({ machine: MACHINE_VERSION, calls }));
