import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';
import type { KernelName } from './committed.ts';

const FEATURES: Record<KernelName, readonly string[]> = {
  runtime: ['--enable', 'simd', '--initialMemory', '1', '--maximumMemory', '1'],
  training: ['--enable', 'simd', '--initialMemory', '1', '--maximumMemory', '32768'],
};

const folder = fileURLToPath(new URL('.', import.meta.url));

/** Compiles `assembly/<name>.ts`. Throws with the compiler's own message when it does not compile. */
export async function buildKernel(name: KernelName): Promise<Uint8Array> {
  const out = 'built.wasm';
  const args = [
    `assembly/${name}.ts`,
    '-o',
    out,
    '-O3',
    '--converge',
    '--noAssert',
    '--runtime',
    'stub',
    '--use',
    'abort=',
  ];
  let built: Uint8Array | undefined;
  const messages: string[] = [];
  const { error } = await asc.main([...args, ...FEATURES[name]], {
    readFile: (file) => readSource(file),
    writeFile: (_file, contents) => {
      built = typeof contents === 'string' ? new TextEncoder().encode(contents) : contents;
    },
    listFiles: () => [],
    stderr: { write: (text) => messages.push(String(text)) },
  });
  if (error !== null || built === undefined) throw new Error(`kernel ${name} does not compile: ${messages.join('')}`);
  return built;
}

function readSource(file: string): string | null {
  try {
    return readFileSync(`${folder}${file}`, 'utf8');
  } catch {
    return null;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const name of ['runtime', 'training'] as const) {
    const bytes = await buildKernel(name);
    writeFileSync(`${folder}${name}.wasm`, bytes);
    console.log(`${name}.wasm ${bytes.length} bytes`);
  }
}
