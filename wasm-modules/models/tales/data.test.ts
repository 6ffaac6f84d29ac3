import { expect, test } from 'vitest';
import { createRandom } from '../../training/random.ts';
import { ALPHABET, ANSWER, classOf, isTale, tell } from './data.ts';

const many = (seed: number, n: number) => {
  const random = createRandom(seed);
  return Array.from({ length: n }, () => tell(random));
};

test('the same seed tells the same tales, short enough, of characters that there are, and all of them are tales', () => {
  const tales = many(5, 3_000);
  expect(many(5, 3_000)).toEqual(tales);
  for (const { text, bits } of tales) {
    expect(text.length).toBeLessThan(ANSWER);
    expect(isTale(text), text).toBe(true);
    expect(Array.from(text).every((character) => ALPHABET.includes(character))).toBe(true);
    expect(bits).toBeGreaterThan(15);
  }
  expect(new Set(tales.map(({ text }) => text)).size).toBeGreaterThan(2_900);
});

const TALE = 'By the sea lived an odd owl. She gave a bell to the cat. Both heard it ring.';

test.each([
  ['as it is', TALE, true],
  [
    'of another way to begin',
    'Once upon a time an owl lived by the sea. She hid a key from the cat. The cat laughed.',
    true,
  ],
  ['with the wrong article', TALE.replace('an odd', 'a odd'), false],
  ['with the wrong pronoun', TALE.replace('She', 'He'), false],
  ['given to herself', TALE.replace('the cat', 'the owl'), false],
  ['with another thing’s use', TALE.replace('heard it ring', 'read it'), false],
  ['with another event’s end', TALE.replace('Both heard it ring', 'The cat cried'), false],
  ['of somebody else in the end', 'In a cave lived a red cat. She took a key from the owl. The bear cried.', false],
  ['with the wrong little word', TALE.replace('to the', 'from the'), false],
  ['without its end', TALE.slice(0, -1), false],
  ['with something behind it', `${TALE} `, false],
  [
    'with an adjective in a fairy tale',
    'Once upon a time an odd owl lived by the sea. She hid a key from the cat. The cat laughed.',
    false,
  ],
])('a tale %s', (_how, text, accepted) => {
  expect(isTale(text)).toBe(accepted);
});

test('bytes have the class of their character, of its small form, or of a space', () => {
  expect([0, 32, 79, 90, 200].map(classOf)).toEqual([0, 1, ALPHABET.indexOf('O'), ALPHABET.indexOf('z'), 1]);
});
