/** What was tried, and what came of it. */
interface Row {
  tried: number;
  succeeded: number;
  readonly failures: Map<string, number>;
}

export class Tally {
  readonly #rows = new Map<string, Row>();
  readonly counts = new Map<string, number>();

  add(name: string, { code, codespace }: { readonly code: number; readonly codespace: string }): void {
    let row = this.#rows.get(name);
    if (row === undefined) {
      row = { tried: 0, succeeded: 0, failures: new Map() };
      this.#rows.set(name, row);
    }
    row.tried++;
    if (code === 0) row.succeeded++;
    else row.failures.set(`${codespace} ${code}`, (row.failures.get(`${codespace} ${code}`) ?? 0) + 1);
  }

  count(name: string, by = 1): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + by);
  }

  merge(other: Tally): void {
    for (const [name, { tried, succeeded, failures }] of other.#rows) {
      const row = this.#rows.get(name) ?? { tried: 0, succeeded: 0, failures: new Map<string, number>() };
      this.#rows.set(name, row);
      row.tried += tried;
      row.succeeded += succeeded;
      for (const [code, times] of failures) row.failures.set(code, (row.failures.get(code) ?? 0) + times);
    }
    for (const [name, times] of other.counts) this.count(name, times);
  }

  tried(name: string): number {
    return this.#rows.get(name)?.tried ?? 0;
  }

  succeeded(name: string): number {
    return this.#rows.get(name)?.succeeded ?? 0;
  }

  lines(): readonly string[] {
    const names = [...this.#rows.keys()].toSorted();
    const width = Math.max(0, ...names.map(({ length }) => length));
    const head = `${'operation'.padEnd(width)}   tried  succeeded  failed, by code`;
    return [
      head,
      ...names.map((name) => {
        const { tried, succeeded, failures } = this.#rows.get(name) as Row;
        const codes = [...failures].toSorted((a, b) => b[1] - a[1]).map(([code, times]) => `${code}: ${times}`);
        return `${name.padEnd(width)} ${String(tried).padStart(7)} ${String(succeeded).padStart(10)}  ${codes.join(', ')}`;
      }),
    ];
  }
}
