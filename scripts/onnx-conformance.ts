/**
 * `npm run onnx-conformance -- <folder>`: the share of backend node tests that the ONNX compiler passes, over any folder
 * in the ONNX project's layout, and the reason of each that it does not.
 */
import { existsSync } from 'node:fs';
import { listNodeTests, type NodeTestResult, runNodeTest } from '#test/onnx/node-tests.ts';
import { supportedOperators } from '#wasm-modules/compiler/compile.ts';

const share = (part: readonly unknown[], whole: readonly unknown[]): string =>
  `${part.length} of ${whole.length}${whole.length === 0 ? '' : ` (${((100 * part.length) / whole.length).toFixed(1)} %)`}`;

function report(results: readonly NodeTestResult[]): void {
  const supported = new Set(supportedOperators());
  for (const { name, verdict, reason } of results)
    if (verdict !== 'passed') console.log(`${verdict}  ${name}: ${reason}`);
  const passed = results.filter(({ verdict }) => verdict === 'passed');
  const ours = results.filter(({ operators }) => operators.length > 0 && operators.every((op) => supported.has(op)));
  const plain = ours.filter((result) => result.plain);
  const plainPassed = plain.filter(({ verdict }) => verdict === 'passed');
  const oursPassed = ours.filter(({ verdict }) => verdict === 'passed');
  const fixed = passed.filter((result) => result.fixed === true).length;
  console.log(`\npassed: ${share(passed, results)}, ${fixed} of them compiled for the values of their shape inputs`);
  console.log(`of those whose operators are all supported: ${share(oursPassed, ours)}`);
  console.log(`and of those of float32, integers and bool alone: ${share(plainPassed, plain)}`);
  console.log(`wrong results: ${results.filter(({ verdict }) => verdict === 'failed').length}`);
}

const [folder] = process.argv.slice(2);
if (folder === undefined || !existsSync(folder)) {
  console.error('usage: npm run onnx-conformance -- <folder with test_*/model.onnx>');
  process.exitCode = 2;
} else {
  try {
    const results = listNodeTests(folder).map((name) => runNodeTest(folder, name));
    report(results);
    if (results.some(({ verdict }) => verdict === 'failed')) process.exitCode = 1;
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 2;
  }
}
