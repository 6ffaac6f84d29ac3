/**
 * The part of the WebAssembly JavaScript interface (W3C, version 2) that this project uses. TypeScript declares it only
 * in its browser library, whose other names the deterministic layers must not see.
 */
declare namespace WebAssembly {
  class Module {
    private readonly brand: 'Module';
    constructor(bytes: Uint8Array);
  }
  class Instance {
    readonly exports: Readonly<Record<string, unknown>>;
    constructor(module: Module, imports?: object);
  }
  class Memory {
    readonly buffer: ArrayBuffer;
    constructor(descriptor: { initial: number; maximum?: number });
  }
  class Table {
    readonly length: number;
    constructor(descriptor: { element: 'anyfunc'; initial: number; maximum?: number });
  }
  class Global {
    value: unknown;
    constructor(descriptor: { value: 'i32' | 'i64' | 'f32' | 'f64'; mutable?: boolean }, value?: unknown);
  }
  class RuntimeError extends Error {}
  class CompileError extends Error {}
  class LinkError extends Error {}
  function validate(bytes: Uint8Array): boolean;
  function compile(bytes: Uint8Array): Promise<Module>;
}
