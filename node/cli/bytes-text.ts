const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** Such as `12.3 MiB`, for people. */
export function formatBytes(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (Math.abs(value) >= 1_024 && unit < UNITS.length - 1) {
    value /= 1_024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}
