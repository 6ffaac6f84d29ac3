// Trains the classifier and writes everything that is committed of it: `autond model train classifier`, about two minutes on
// one core. The same seed gives the same model.onnx, byte for byte.
import { mkdirSync, writeFileSync } from 'node:fs';
import { encode } from 'fast-png';
import { writeModel } from '../../onnx/writer.ts';
import { contactSheet, enlarge, lossCurveSvg } from '../../training/pictures.ts';
import { SIDE, SPECIES } from './data.ts';
import { exportClassifier } from './export.ts';
import { CLASSIFIER_TRAINING, heldOutPhotos, trainClassifier } from './training.ts';

const SHEET = { columns: 12, photos: 48, scale: 4 } as const;

const folder = new URL('.', import.meta.url);
const started = performance.now();
const { classifier, curve, heldOut } = trainClassifier({
  ...CLASSIFIER_TRAINING,
  onPoint: ({ step, loss }) => {
    const seconds = (performance.now() - started) / 1000;
    console.log(`step ${step} of ${CLASSIFIER_TRAINING.steps}  loss ${loss.toFixed(5)}  ${seconds.toFixed(0)} s`);
  },
});
const save = (name: string, content: Uint8Array | string): void => writeFileSync(new URL(name, folder), content);
mkdirSync(new URL('samples', folder), { recursive: true });
save('model.onnx', writeModel(exportClassifier(classifier)));
save('loss.json', `${JSON.stringify({ training: CLASSIFIER_TRAINING, heldOut, curve }, undefined, 1)}\n`);
save('loss.svg', lossCurveSvg(curve, 'Classifier: cross entropy over training steps'));
const photos = heldOutPhotos(CLASSIFIER_TRAINING).slice(0, SHEET.photos);
const pictures = photos.map(({ pixels }) => ({ width: SIDE, height: SIDE, data: pixels }));
save(
  'samples/sheet.png',
  encode({ ...enlarge(contactSheet(pictures, SHEET.columns), SHEET.scale), channels: 3, depth: 8 }),
);
const found = classifier.classify(photos).map((species) => SPECIES[species]);
save('samples/found.json', `${JSON.stringify(found)}\n`);
console.log(
  `held out: ${heldOut.trained.toFixed(4)} right (untrained ${heldOut.untrained.toFixed(4)}, nearest mean ${heldOut.nearestMean.toFixed(4)})`,
);
