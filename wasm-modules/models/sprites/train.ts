// Trains the sprite generator and writes everything that is committed of it: `npm run train:sprites`, a few minutes on one
// core. The same seed gives the same model.onnx, byte for byte.
import { mkdirSync, writeFileSync } from 'node:fs';
import { encode } from 'fast-png';
import { compileOnnx } from '../../compiler/compile.ts';
import { type CoreModel, openCore } from '../../compiler/harness.ts';
import { describeError } from '../../onnx/refusal.ts';
import { writeModel } from '../../onnx/writer.ts';
import { contactSheet, enlarge, lossCurveSvg, type Picture } from '../../training/pictures.ts';
import { createRandom } from '../../training/random.ts';
import { SPRITES_OPTIONS } from './build.ts';
import { drawSprite, SIDE, SPECIES } from './data.ts';
import { exportDecoder } from './export.ts';
import { SPRITES_TRAINING, trainSprites } from './training.ts';

const ENLARGED = 8;
const SHEET_COLUMNS = 12;

const folder = new URL('.', import.meta.url);
const started = performance.now();
const { vae, curve, heldOut } = trainSprites({
  ...SPRITES_TRAINING,
  onPoint: ({ step, squaredError, divergence }) => {
    const seconds = (performance.now() - started) / 1000;
    console.log(
      `step ${step}  error ${squaredError.toFixed(5)}  divergence ${divergence.toFixed(2)}  ${seconds.toFixed(0)} s`,
    );
  },
});
const onnx = writeModel(exportDecoder(vae));
const compiled = compileOnnx(onnx, SPRITES_OPTIONS);
if (!compiled.ok) throw new Error(describeError(compiled.error));
const core = openCore(compiled.value.module);

const save = (name: string, content: Uint8Array | string): void => writeFileSync(new URL(name, folder), content);
mkdirSync(new URL('samples', folder), { recursive: true });
save('model.onnx', onnx);
save('loss.json', `${JSON.stringify({ training: SPRITES_TRAINING, heldOut, curve }, undefined, 1)}\n`);
const errors = curve.map(({ step, squaredError }) => ({ step, loss: squaredError }));
save('loss.svg', lossCurveSvg(errors, 'Sprites: squared error per colour value over training steps'));

/** Colours as the training draws them; species in turn. */
function requests(n: number, seed: number): Uint8Array[] {
  const random = createRandom(seed);
  return Array.from({ length: n }, (_, i) => {
    const { body, accent } = drawSprite(random);
    return Uint8Array.of(i % SPECIES.length, ...[...body, ...accent].map((v) => Math.round(v * 255)));
  });
}

function pictureOf(model: CoreModel, request: Uint8Array, seed: bigint): Picture {
  const answer = model.infer(request, seed);
  if (!answer.ok) throw new Error(answer.error);
  return { width: SIDE, height: SIDE, data: answer.value };
}

const png = (picture: Picture): Uint8Array => encode({ ...enlarge(picture, ENLARGED), channels: 3, depth: 8 });
requests(10, 10).forEach((request, i) => {
  save(
    `samples/${String(i).padStart(2, '0')}-${SPECIES[request[0] ?? 0]}.png`,
    png(pictureOf(core, request, BigInt(i))),
  );
});
const sheet = requests(SHEET_COLUMNS * 6, 11).map((request, i) => pictureOf(core, request, BigInt(100 + i)));
save('samples/sheet.png', encode({ ...enlarge(contactSheet(sheet, SHEET_COLUMNS), 4), channels: 3, depth: 8 }));
console.log(
  `held out: ${heldOut.trained.toFixed(5)} (untrained ${heldOut.untrained.toFixed(5)}, mean of the species ${heldOut.speciesMean.toFixed(5)})`,
);
