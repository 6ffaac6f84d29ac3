// Trains the enlarger and writes everything that is committed of it: `autond model train enlarger`, some minutes on one core.
// The same seed gives the same model.onnx, byte for byte.
import { mkdirSync, writeFileSync } from 'node:fs';
import { encode } from 'fast-png';
import { compileOnnx } from '../../compiler/compile.ts';
import { openCore } from '../../compiler/harness.ts';
import { describeError } from '../../onnx/refusal.ts';
import { writeModel } from '../../onnx/writer.ts';
import { contactSheet, enlarge, lossCurveSvg, type Picture } from '../../training/pictures.ts';
import { ENLARGER_OPTIONS } from './build.ts';
import { bilinear, LARGE, type Pair, SMALL } from './data.ts';
import { exportEnlarger } from './export.ts';
import { decibels, ENLARGER_TRAINING, heldOutPairs, trainEnlarger } from './training.ts';

const COLUMNS = 12;
const SCALE = 4;

const folder = new URL('.', import.meta.url);
const started = performance.now();
const { enlarger, curve, heldOut } = trainEnlarger({
  ...ENLARGER_TRAINING,
  onPoint: ({ step, loss }) => {
    const seconds = (performance.now() - started) / 1000;
    console.log(`step ${step} of ${ENLARGER_TRAINING.steps}  error ${loss.toFixed(5)}  ${seconds.toFixed(0)} s`);
  },
});
const onnx = writeModel(exportEnlarger(enlarger));
const compiled = compileOnnx(onnx, ENLARGER_OPTIONS);
if (!compiled.ok) throw new Error(describeError(compiled.error));
const core = openCore(compiled.value.module);

const save = (name: string, content: Uint8Array | string): void => writeFileSync(new URL(name, folder), content);
mkdirSync(new URL('samples', folder), { recursive: true });
save('model.onnx', onnx);
save('loss.json', `${JSON.stringify({ training: ENLARGER_TRAINING, heldOut, curve }, undefined, 1)}\n`);
save('loss.svg', lossCurveSvg(curve, 'Enlarger: squared error per colour value over training steps'));

const large = (data: Uint8Array): Picture => ({ width: LARGE, height: LARGE, data });
const bytesOf = (values: Float32Array): Uint8Array => Uint8Array.from(values, (v) => Math.round(v * 255));

function enlarged(small: Uint8Array): Uint8Array {
  const answer = core.infer(small, 0n);
  if (!answer.ok) throw new Error(answer.error);
  return answer.value;
}

const pairs: readonly Pair[] = heldOutPairs(ENLARGER_TRAINING).slice(0, COLUMNS);
const rows = [
  ...pairs.map(({ small }) => enlarge({ width: SMALL, height: SMALL, data: small }, 2)),
  ...pairs.map(({ small }) => large(bytesOf(bilinear(small)))),
  ...pairs.map(({ small }) => large(enlarged(small))),
  ...pairs.map((pair) => large(bytesOf(pair.large))),
];
save('samples/sheet.png', encode({ ...enlarge(contactSheet(rows, COLUMNS), SCALE), channels: 3, depth: 8 }));
const { trained, untrained, bilinear: plain } = heldOut;
console.log(
  `held out: ${trained.toFixed(5)} (${decibels(trained).toFixed(2)} dB; untrained ${untrained.toFixed(5)}, bilinear ${plain.toFixed(5)}, ${decibels(plain).toFixed(2)} dB)`,
);
