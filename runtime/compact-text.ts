/**
 * A message as the Cosmos SDK's Go types print it (gogoproto's CompactTextString): some event attributes hold such texts, and
 * explorers take them apart. Every field ends with a space; numbers that are 0 are left out.
 */
import type { Timestamp } from '#core/types/timestamp.ts';

export function textOf(name: string, fields: readonly string[]): string {
  return `${name}:<${fields.join('')}> `;
}

export function numberText(name: string, value: bigint | number): string {
  return BigInt(value) === 0n ? '' : `${name}:${value} `;
}

/** @param value of printable ASCII without quotes and backslashes: nothing else stands there. */
export function stringText(name: string, value: string): string {
  return `${name}:"${value}" `;
}

/** A Timestamp or Duration. */
export function timeText(name: string, { seconds, nanos }: Timestamp): string {
  return textOf(name, [numberText('seconds', seconds), numberText('nanos', nanos)]);
}
