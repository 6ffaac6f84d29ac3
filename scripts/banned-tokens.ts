/** Tokens that may mean something else on another machine, or that hide an input: banned in the deterministic layers. */
import { type Layer, mayDivide } from './layers.ts';
import { isNode, type Node, walk } from './syntax.ts';

export interface BannedToken {
  readonly offset: number;
  readonly message: string;
}

const bannedGlobals: Readonly<Record<string, string>> = {
  Date: 'time is an input',
  performance: 'time is an input',
  process: 'the process is not visible here',
  Intl: 'depends on the locale data of the machine',
  parseFloat: 'floating point',
  setTimeout: 'timers are effects',
  setInterval: 'timers are effects',
  setImmediate: 'timers are effects',
  clearTimeout: 'timers are effects',
  clearInterval: 'timers are effects',
  clearImmediate: 'timers are effects',
};

const bannedMembers: Readonly<Record<string, string>> = {
  toFixed: 'floating point',
  parseFloat: 'floating point',
  localeCompare: 'depends on the locale data of the machine: compare bytes or code units',
  toLocaleString: 'depends on the locale data of the machine',
  toLocaleLowerCase: 'depends on the locale data of the machine',
  toLocaleUpperCase: 'depends on the locale data of the machine',
};

const allowedMath = new Set(['imul', 'clz32', 'min', 'max']);
const divisions = new Set(['/', '/=']);
const powers = new Set(['**', '**=']);

/** An identifier that is only the name of a property, method or label, not a variable. */
const isPropertyName = (parent: Node | undefined, field: string): boolean =>
  parent !== undefined &&
  ((field === 'property' && parent.computed !== true) ||
    (field === 'key' && parent.computed !== true && parent.shorthand !== true));

const memberName = (node: Node): string | undefined => {
  const { property } = node;
  if (!isNode(property)) return undefined;
  if (node.computed !== true) return typeof property.name === 'string' ? property.name : undefined;
  return typeof property.value === 'string' ? property.value : undefined;
};

const messageOfOperator = (node: Node, path: string): string | undefined => {
  const operator = String(node.operator);
  if (divisions.has(operator) && !mayDivide.includes(path)) return `"${operator}": divide through core/int.ts`;
  if (powers.has(operator)) return `"${operator}": use shifts, a constant or a loop`;
  return undefined;
};

const messageOfMember = (node: Node): string | undefined => {
  const name = memberName(node);
  if (isNode(node.object) && node.object.type === 'Identifier' && node.object.name === 'Math')
    return name !== undefined && allowedMath.has(name)
      ? undefined
      : `Math.${name ?? '[…]'}: only ${[...allowedMath].join(', ')} are exact everywhere`;
  return name !== undefined && Object.hasOwn(bannedMembers, name) ? `.${name}: ${bannedMembers[name]}` : undefined;
};

const messageOfIdentifier = (node: Node, parent: Node | undefined, field: string): string | undefined => {
  const name = String(node.name);
  if (isPropertyName(parent, field)) return undefined;
  if (Object.hasOwn(bannedGlobals, name)) return `${name}: ${bannedGlobals[name]}`;
  if (name === 'Math' && !(parent?.type === 'MemberExpression' && field === 'object'))
    return 'Math: name the function in place (Math.imul, Math.min …)';
  return undefined;
};

const messageOfCall = (node: Node): string | undefined => {
  const { callee } = node;
  if (!isNode(callee) || callee.type !== 'MemberExpression') return undefined;
  const name = memberName(callee);
  const none = Array.isArray(node.arguments) && node.arguments.length === 0;
  return none && (name === 'sort' || name === 'toSorted')
    ? `.${name}() without a comparator compares as text: say the order`
    : undefined;
};

const messageOfAsync = (node: Node): string | undefined => {
  if (node.type === 'AwaitExpression' || node.await === true) return 'await: this layer is synchronous';
  if (node.async === true) return 'async: this layer is synchronous';
  if (node.type === 'Identifier' && node.name === 'Promise') return 'Promise: this layer is synchronous';
  return undefined;
};

const messageOf = (node: Node, parent: Node | undefined, field: string, path: string): string | undefined => {
  switch (node.type) {
    case 'BinaryExpression':
    case 'AssignmentExpression':
      return messageOfOperator(node, path);
    case 'MemberExpression':
      return messageOfMember(node);
    case 'Identifier':
      return messageOfIdentifier(node, parent, field);
    case 'CallExpression':
      return messageOfCall(node);
    case 'Literal':
      return typeof node.value === 'number' && (!Number.isInteger(node.value) || String(node.raw).includes('.'))
        ? `${node.raw}: a fractional literal`
        : undefined;
    default:
      return undefined;
  }
};

export const bannedTokens = (layer: Layer, path: string, program: Node): BannedToken[] => {
  if (!layer.deterministic && !layer.synchronous) return [];
  const found: BannedToken[] = [];
  walk(program, (node, parent, field) => {
    const message =
      (layer.deterministic ? messageOf(node, parent, field, path) : undefined) ??
      (layer.synchronous ? messageOfAsync(node) : undefined);
    if (message !== undefined) found.push({ offset: node.start, message });
  });
  return found;
};
