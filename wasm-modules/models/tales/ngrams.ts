import { ALPHABET, ANSWER, type Tale } from './data.ts';

/** What can be had without a network: how often each character followed the n - 1 before it. */
export interface Ngrams {
  /** Bits that it takes to tell the tales, their ends included. */
  bits(tales: readonly Tale[]): number;
  /** A tale of at most {@link ANSWER} characters, each drawn with its probability. */
  tell(unit: () => number): string;
}

interface Followers {
  total: number;
  readonly counts: Map<string, number>;
}

const END = '\0';
/** Characters that there are at all: what the shortest context is mixed with. */
const UNIFORM = 1 / 256;

/** Contexts of every length below `order`, mixed as Witten and Bell (1991, method C) propose. */
export function createNgrams(order: number, tales: readonly Tale[]): Ngrams {
  const contexts = new Map<string, Followers>();
  const each = (text: string, visit: (before: string, next: string) => void): void => {
    const whole = `${END}${text}${END}`;
    for (let i = 1; i < whole.length; i++) visit(whole.slice(Math.max(0, i - order + 1), i), whole[i] as string);
  };
  for (const { text } of tales) {
    each(text, (before, next) => {
      for (let from = 0; from <= before.length; from++) {
        const context = before.slice(from);
        const followers = contexts.get(context) ?? { total: 0, counts: new Map() };
        if (followers.total === 0) contexts.set(context, followers);
        followers.total++;
        followers.counts.set(next, (followers.counts.get(next) ?? 0) + 1);
      }
    });
  }
  const probability = (before: string, next: string): number => {
    let p = UNIFORM;
    for (let from = before.length; from >= 0; from--) {
      const followers = contexts.get(before.slice(from));
      if (followers === undefined) return p;
      const kinds = followers.counts.size;
      p = ((followers.counts.get(next) ?? 0) + kinds * p) / (followers.total + kinds);
    }
    return p;
  };
  return {
    tell(unit) {
      let text = '';
      while (text.length < ANSWER) {
        const before = `${END}${text}`.slice(-order + 1);
        let left = unit();
        const next = Array.from(ALPHABET).find((character) => {
          left -= probability(before, character);
          return left < 0;
        });
        // What remains is for characters that no tale has.
        if (next === undefined || next === END) break;
        text += next;
      }
      return text;
    },
    bits(told) {
      let bits = 0;
      for (const { text } of told)
        each(text, (before, next) => {
          bits -= Math.log2(probability(before, next));
        });
      return bits;
    },
  };
}
