/**
 * The ONNX project's node tests: a model either gives the expected tensors or is refused as unsupported, by the name of
 * what is missing. None may give anything else.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listNodeTests, runNodeTest } from '#test/onnx/node-tests.ts';
import { vectorsPath } from './locate.ts';

/** Of the 529 tests, those that are passed today; more is progress, fewer is a regression. */
const PASSED_AT_LEAST = 522;

const archive = vectorsPath('onnx-node', 'node-tests.tar.xz');
let directory = '';

describe.skipIf(archive === undefined)('ONNX node tests', () => {
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'onnx-node-'));
    execFileSync('tar', ['-xJf', archive ?? '', '-C', directory]);
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test('every test gives the expected tensors or is refused as unsupported', () => {
    const results = listNodeTests(directory).map((name) => runNodeTest(directory, name));
    expect(results.filter(({ verdict }) => verdict === 'failed')).toEqual([]);
    const passed = results.filter(({ verdict }) => verdict === 'passed').length;
    console.log(`ONNX node tests: ${passed} of ${results.length} passed`);
    expect(passed).toBeGreaterThanOrEqual(PASSED_AT_LEAST);
  });
});
