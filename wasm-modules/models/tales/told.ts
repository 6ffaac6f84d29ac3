import type { CoreModel } from '../../compiler/harness.ts';
import { showText, textBytes } from '../../text.ts';
import { talesRequest } from './build.ts';
import { isTale } from './data.ts';
import type { Ngrams } from './ngrams.ts';

/** The prompts of the samples in the card. */
export const PROMPTS = [
  '',
  'Once upon',
  'By the sea lived an',
  'Once a shy robot',
  'In a dark forest',
  'Why?',
] as const;

/** The whole tale that the compiled model makes of a beginning. */
export function tellOn(core: CoreModel, prompt: string, seed: bigint, warmth?: number): string {
  const answer = core.infer(talesRequest(prompt, warmth), seed);
  if (!answer.ok) throw new Error(answer.error);
  return prompt + showText(textBytes(answer.value));
}

/** Of so many tales without a prompt, the share that the grammar accepts. */
export function shareOfTales(core: CoreModel, count: number, warmth?: number): number {
  let accepted = 0;
  for (let i = 0; i < count; i++) accepted += Number(isTale(tellOn(core, '', BigInt(i), warmth)));
  return accepted / count;
}

/** The same of the n-gram model. */
export function shareOfNgrams(ngrams: Ngrams, count: number, unit: () => number): number {
  let accepted = 0;
  for (let i = 0; i < count; i++) accepted += Number(isTale(ngrams.tell(unit)));
  return accepted / count;
}
