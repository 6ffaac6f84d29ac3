/**
 * What one operator has for nothing: an IPv4 address, also where it stands inside an IPv6 one, or the /64 of an IPv6
 * address. Limits for each host go by it, so that nobody gets another share by another address of his own.
 */
export function siteOf(host: string): string {
  if (!host.includes(':')) return host;
  const [head = '', tail = ''] = host.toLowerCase().split('::');
  const mapped = /(\d+\.\d+\.\d+\.\d+)$/.exec(host)?.[1];
  if (mapped !== undefined) return mapped;
  const first = head === '' ? [] : head.split(':');
  const last = tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: Math.max(0, 8 - first.length - last.length) }, () => '0');
  return [...first, ...zeros, ...last]
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':');
}
