/**
 * Who may import whom, and which packages each layer may use: the table of docs/ARCHITECTURE.md as data.
 * `scripts/structure-check.ts` enforces it.
 */

/** A whole layer, or only the files of it whose path below the layer starts with one of `only`. */
export type Import = string | { readonly layer: string; readonly only: readonly string[] };

export interface Layer {
  /** Top-level folder; `#name/` in imports. */
  readonly name: string;
  readonly imports: readonly Import[] | 'all';
  /** Imports of single files beyond those of their layer, by path below the layer. */
  readonly extra?: Readonly<Record<string, readonly Import[]>>;
  /** Exact package names, `@scope/*`, or `any` declared dependency. */
  readonly packages: readonly string[] | 'any';
  readonly nodeBuiltins: boolean;
  /** Tokens whose outcome may differ between machines are banned. */
  readonly deterministic: boolean;
  /** `async`, `await` and `Promise` are banned. */
  readonly synchronous: boolean;
}

const pure = { nodeBuiltins: false, deterministic: true, synchronous: false } as const;
const outer = { nodeBuiltins: true, deterministic: false, synchronous: false } as const;

const serverPackages = ['fastify', '@fastify/*', 'ws', '@grpc/grpc-js', '@polkadot-api/*', 'scale-ts'] as const;

export const layers: readonly Layer[] = [
  // Generated code, and the thin functions over the protobuf library that use it.
  { name: 'proto', imports: [], packages: ['@bufbuild/protobuf'], ...pure, deterministic: false },
  { name: 'core', imports: ['proto'], packages: ['@noble/*', '@scure/*'], ...pure },
  { name: 'consensus', imports: ['core'], packages: [], ...pure, synchronous: true },
  { name: 'light', imports: ['core'], packages: [], ...pure },
  { name: 'vm', imports: ['core'], packages: [], ...pure },
  { name: 'runtime', imports: ['core', 'proto', { layer: 'vm', only: ['admission'] }], packages: [], ...pure },
  { name: 'genesis', imports: ['core', 'runtime'], packages: [], ...outer },
  {
    name: 'wasm-modules',
    imports: [],
    packages: ['assemblyscript', 'wabt', 'fast-png', '@bufbuild/protobuf', '@bytecodealliance/jco'],
    ...outer,
  },
  {
    name: 'rpc',
    imports: ['core', 'proto'],
    // The one port of all interfaces: through it they see the module table and the descriptors.
    extra: { 'backend.ts': ['runtime'] },
    packages: serverPackages,
    ...outer,
  },
  {
    name: 'node',
    imports: ['proto', 'core', 'consensus', 'light', 'vm', 'runtime', 'genesis', 'wasm-modules', 'rpc'],
    packages: [
      ...serverPackages,
      'classic-level',
      'pg',
      'libp2p',
      '@libp2p/*',
      '@multiformats/*',
      '@bytecodealliance/jco',
      '@bufbuild/protobuf',
      '@noble/*',
      '@scure/*',
      'secp256k1',
      '@chainsafe/blst',
      'pino',
      'commander',
      'smol-toml',
      'fast-png',
      'jpeg-js',
      'bcryptjs',
    ],
    ...outer,
  },
  { name: 'bridge', imports: ['core', 'proto', 'light'], packages: ['viem'], ...outer },
  { name: 'explorer', imports: ['core', 'proto', 'light', 'vm'], packages: ['uplot'], ...outer, nodeBuiltins: false },
  { name: 'test', imports: 'all', packages: 'any', ...outer },
  { name: 'bench', imports: 'all', packages: 'any', ...outer },
  { name: 'scripts', imports: 'all', packages: 'any', ...outer },
];

/** Written over an operator that rounds or may not: only here, where each function says how. */
export const mayDivide: readonly string[] = ['core/int.ts'];
