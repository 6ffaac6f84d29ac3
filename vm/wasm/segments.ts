/** Element and data segments. */
import type { ModuleLimits } from '../limits.ts';
import { constant, endOfConstant, refType } from './constants.ts';
import type { Draft } from './draft.ts';
import { hex } from './instruction.ts';
import { OP } from './opcodes.ts';
import { byte, count, type Reader, refuse, skip, u32 } from './reader.ts';
import { I32, type Placement } from './types.ts';

function placement(r: Reader, draft: Draft, index: number): Placement {
  return { index, offset: constant(r, draft, I32) };
}

function functionAt(r: Reader, draft: Draft): void {
  const at = r.at;
  const index = u32(r, 'a function index');
  if (index >= draft.functions.length)
    refuse('invalid', `offset ${at}: function ${index}, expected below ${draft.functions.length}`);
}

/** ref.func or ref.null func, and end. */
function elementExpression(r: Reader, draft: Draft): void {
  const at = r.at;
  const op = byte(r, 'an element expression');
  if (op === OP.refFunc) functionAt(r, draft);
  else if (op === OP.refNull) refType(r, 'the type of a null element');
  else
    refuse('invalid', `offset ${at}: instruction ${hex(op)} in an element expression, expected ref.func or ref.null`);
  endOfConstant(r);
}

function elementSegment(r: Reader, draft: Draft, limits: ModuleLimits): void {
  const at = r.at;
  const flags = u32(r, 'the flags of an element segment');
  if (flags > 7) refuse('malformed', `offset ${at}: flags of an element segment expected to be 0 to 7, found ${flags}`);
  let active: Placement | undefined;
  if ((flags & 1) === 0) {
    const table = (flags & 2) !== 0 ? u32(r, 'a table index') : 0;
    if (table >= draft.tables.length)
      refuse('invalid', `offset ${at}: table ${table}, expected below ${draft.tables.length}`);
    active = placement(r, draft, table);
  }
  const expressions = (flags & 4) !== 0;
  if ((flags & 3) !== 0) {
    if (expressions) refType(r, 'the type of an element segment');
    else {
      const kindAt = r.at;
      const kind = byte(r, 'the kind of an element segment');
      if (kind !== 0) refuse('malformed', `offset ${kindAt}: element kind expected to be 0, found ${hex(kind)}`);
    }
  }
  const length = count(r, limits.elementEntries, 'element entries');
  for (let i = 0; i < length; i++) {
    if (expressions) elementExpression(r, draft);
    else functionAt(r, draft);
  }
  draft.elements.push({ active, length });
}

export function elementSection(r: Reader, draft: Draft, limits: ModuleLimits): void {
  const length = count(r, limits.elementSegments, 'element segments');
  for (let i = 0; i < length; i++) elementSegment(r, draft, limits);
}

export function dataSection(r: Reader, draft: Draft, limits: ModuleLimits): void {
  const length = count(r, limits.dataSegments, 'data segments');
  for (let i = 0; i < length; i++) {
    const at = r.at;
    const flags = u32(r, 'the flags of a data segment');
    if (flags > 2) refuse('malformed', `offset ${at}: flags of a data segment expected to be 0 to 2, found ${flags}`);
    const memory = flags === 2 ? u32(r, 'a memory index') : 0;
    if (flags !== 1 && memory >= draft.memories.length)
      refuse('invalid', `offset ${at}: memory ${memory}, expected below ${draft.memories.length}`);
    const active = flags === 1 ? undefined : placement(r, draft, memory);
    const bytes = u32(r, 'the length of a data segment');
    skip(r, bytes, 'a data segment');
    draft.data.push({ active, length: bytes });
  }
}
