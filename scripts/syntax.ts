/** The little that the structure check needs to know of a syntax tree in ESTree's form. */

export interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

export const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';

/** Calls `visit` for `node` and all below it, with the parent and the parent's field in which each stands. */
export const walk = (
  node: Node,
  visit: (node: Node, parent: Node | undefined, field: string) => void,
  parent?: Node,
  field = '',
): void => {
  visit(node, parent, field);
  for (const [name, value] of Object.entries(node)) {
    if (isNode(value)) walk(value, visit, node, name);
    else if (Array.isArray(value)) for (const item of value) if (isNode(item)) walk(item, visit, node, name);
  }
};
