/** Every link from a page of this repository to a file of it, or to a heading, leads somewhere. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const pages = ['*.md', 'docs/**/*.md', 'wasm-modules/**/*.md', 'test/**/*.md'].flatMap((pattern) =>
  globSync(pattern, { cwd: root }),
);

/** As GitHub makes the anchor of a heading. */
function anchorOf(heading: string): string {
  const text = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
  return text.replace(/[^\p{L}\p{N}\- _]/gu, '').replaceAll(' ', '-');
}

function anchorsOf(page: string): string[] {
  const text = readFileSync(join(root, page), 'utf8').replace(/^```.*?^```/gms, '');
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchorOf(heading.trim()));
}

/** What is wrong with the links of a page. */
function brokenLinks(page: string): string[] {
  const links = [...readFileSync(join(root, page), 'utf8').matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
  return links.flatMap((link) => {
    if (/^(https?|mailto):/.test(link)) return [];
    const [path = '', anchor] = link.split('#');
    const target = path === '' ? page : join(dirname(page), path);
    if (!existsSync(join(root, target))) return [`${page}: ${link} leads to no file`];
    const isLost = anchor !== undefined && target.endsWith('.md') && !anchorsOf(target).includes(anchor);
    return isLost ? [`${page}: ${link} leads to no heading`] : [];
  });
}

test('links between pages lead to files and headings that exist', () => {
  expect(pages.length).toBeGreaterThan(40);
  expect(pages.flatMap(brokenLinks)).toEqual([]);
});

test('anchors are made as GitHub makes them', () => {
  expect(anchorOf("A network's files")).toBe('a-networks-files');
  expect(anchorOf('Pruning `x_y`, and [more](a.md)')).toBe('pruning-x_y-and-more');
});

test('docs/README.md leads to every page of docs', () => {
  const index = readFileSync(join(root, 'docs/README.md'), 'utf8');
  const missing = globSync('docs/*.md', { cwd: root }).filter(
    (page) => page !== 'docs/README.md' && !index.includes(`(${page.slice('docs/'.length)}`),
  );
  expect(missing).toEqual([]);
});
