// Trains the teller of tales and writes everything that is committed of it: `autond model train tales`, about ten minutes on one
// core. The same seed gives the same model.onnx, byte for byte.
import { mkdirSync, writeFileSync } from 'node:fs';
import { openCore } from '../../compiler/harness.ts';
import { writeModel } from '../../onnx/writer.ts';
import { lossCurveSvg } from '../../training/pictures.ts';
import { buildTalesCore } from './build.ts';
import { exportTales } from './export.ts';
import { PROMPTS, shareOfTales, tellOn } from './told.ts';
import { TALES_TRAINING, trainTales } from './training.ts';

/** Temperatures, in hundredths, that tales are told at. */
const WARMTHS = [0, 50, 100, 150] as const;
const TOLD = 1_000;
const SAMPLES = 4;

const folder = new URL('.', import.meta.url);
const started = performance.now();
const { network, curve, heldOut } = trainTales({
  ...TALES_TRAINING,
  onPoint: ({ step, loss }) => {
    const seconds = (performance.now() - started) / 1000;
    console.log(`step ${step} of ${TALES_TRAINING.steps}  loss ${loss.toFixed(5)}  ${seconds.toFixed(0)} s`);
  },
});
const save = (name: string, content: Uint8Array | string): void => writeFileSync(new URL(name, folder), content);
const onnx = writeModel(exportTales(network));
const core = openCore(buildTalesCore(onnx));
const told = WARMTHS.map((warmth) => ({ warmth, share: shareOfTales(core, warmth === 0 ? 1 : TOLD, warmth) }));
mkdirSync(new URL('samples', folder), { recursive: true });
save('model.onnx', onnx);
save('loss.json', `${JSON.stringify({ training: TALES_TRAINING, heldOut, told, curve }, undefined, 1)}\n`);
save('loss.svg', lossCurveSvg(curve, 'Tales: cross entropy over training steps'));
const samples = PROMPTS.flatMap((prompt) =>
  Array.from({ length: SAMPLES }, (_, seed) => ({ prompt, seed, tale: tellOn(core, prompt, BigInt(seed)) })),
);
save('samples/tales.json', `${JSON.stringify(samples, undefined, 1)}\n`);
const { trained, untrained, ngrams, order, choices } = heldOut;
console.log(
  `held out: ${trained.toFixed(4)} bits a byte (untrained ${untrained.toFixed(4)}, ${order}-grams ${ngrams.toFixed(4)}, choices ${choices.toFixed(4)})`,
);
console.log(told.map(({ warmth, share }) => `at ${warmth}: ${share.toFixed(3)} are tales`).join('; '));
