/** What must be closed, in order of construction. */
export class Closers {
  readonly #stack: (() => Promise<void>)[] = [];

  push(close: () => Promise<void>): void {
    this.#stack.push(close);
  }

  /** The first error is thrown after everything has been tried. */
  async unwind(): Promise<void> {
    let failure: { readonly error: unknown } | undefined;
    for (let close = this.#stack.pop(); close !== undefined; close = this.#stack.pop()) {
      try {
        await close();
      } catch (error) {
        failure ??= { error };
      }
    }
    if (failure !== undefined) throw failure.error;
  }
}
