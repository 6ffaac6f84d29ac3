import type { Random } from '../../training/random.ts';

/** Bytes of a prompt that the model reads, and bytes that it answers. */
export const PROMPT = 32;
export const ANSWER = 108;
/** Byte 0 stands before a prompt that is shorter than {@link PROMPT}, and behind a tale that is over. */
export const NOTHING = 0;

/** The characters of the tales; the model's classes are the places in this list, byte 0 the first. */
export const ALPHABET = '\0 .,abcdefghijklmnopqrstuvwxyzABHILNOSTW';

type Choice = readonly string[];

/** Who the tales are about, and what each is called afterwards. */
const PRONOUNS = {
  slime: 'It',
  cat: 'She',
  rabbit: 'He',
  bear: 'He',
  owl: 'She',
  mushroom: 'It',
  robot: 'It',
  octopus: 'He',
} as const;
type Creature = keyof typeof PRONOUNS;
const CREATURES = Object.keys(PRONOUNS) as readonly Creature[];

/** What may be given, taken and lost, and what two who have it do. */
const USES = {
  lamp: 'sat in its light',
  drum: 'danced to it',
  seed: 'watched it grow',
  bell: 'heard it ring',
  kite: 'saw it fly',
  shell: 'heard the sea',
  apple: 'ate it',
  egg: 'kept it warm',
  map: 'followed it',
  book: 'read it',
  key: 'opened the gate',
  coin: 'bought bread',
} as const;
type Thing = keyof typeof USES;
const THINGS = Object.keys(USES) as readonly Thing[];

const ADJECTIVES: Choice = ['small', 'old', 'red', 'shy', 'brave', 'tired', 'green', 'odd'];
const PLACES: Choice = [
  'by the sea',
  'in a cave',
  'on a hill',
  'near a lake',
  'in a ruin',
  'in a tower',
  'by the mill',
  'at the pier',
];
const LATER: Choice = ['saw it', 'dug it up', 'knew where', 'laughed'];

/** What happens between the two, and how it may end. */
const EVENTS = ['gave', 'found', 'took', 'hid'] as const;

/** Who, what and where: what a tale tells. */
interface Plot {
  readonly hero: Creature;
  readonly friend: Creature;
  readonly thing: Thing;
  readonly adjective: string;
  readonly place: string;
}

const article = (words: string): string => `${/^[aeiou]/.test(words) ? 'an' : 'a'} ${words}`;
const capital = (words: string): string => words.slice(0, 1).toUpperCase() + words.slice(1);

function openings({ adjective, hero, place }: Plot): Choice {
  const who = article(`${adjective} ${hero}`);
  return [
    `Once ${who} lived ${place}.`,
    `Once upon a time ${article(hero)} lived ${place}.`,
    `${capital(place)} lived ${who}.`,
  ];
}

function happens(event: (typeof EVENTS)[number], { hero, friend, thing }: Plot): string {
  const [who, what] = [PRONOUNS[hero], article(thing)];
  switch (event) {
    case 'gave':
      return `${who} gave ${what} to the ${friend}.`;
    case 'found':
      return `${who} found ${what} with the ${friend}.`;
    case 'took':
      return `${who} took ${what} from the ${friend}.`;
    case 'hid':
      return `${who} hid ${what} from the ${friend}.`;
  }
}

function endings(event: (typeof EVENTS)[number], { hero, friend, thing }: Plot): Choice {
  switch (event) {
    case 'gave':
    case 'found':
      return [`Both ${USES[thing]}.`, `The two ${USES[thing]}.`];
    case 'took':
      return [
        `The ${friend} cried.`,
        `The ${friend} was cross.`,
        `Later ${PRONOUNS[hero].toLowerCase()} gave it back.`,
      ];
    case 'hid':
      return LATER.map((what) => `The ${friend} ${what}.`);
  }
}

/** A tale, and how many bits the choices were worth that made it: nobody can predict it with fewer. */
export interface Tale {
  readonly text: string;
  readonly bits: number;
}

/** Tells a tale of fewer than {@link ANSWER} characters; which one, decides `random`. */
export function tell(random: Random): Tale {
  let bits = 0;
  const pick = <T>(from: readonly T[]): T => {
    bits += Math.log2(from.length);
    return from[random.below(from.length)] as T;
  };
  const hero = pick(CREATURES);
  const friend = pick(CREATURES.filter((name) => name !== hero));
  const [thing, place] = [pick(THINGS), pick(PLACES)];
  const shape = pick([0, 1, 2]);
  // The opening of fairy tales says nothing more of its hero.
  const adjective = shape === 1 ? '' : pick(ADJECTIVES);
  const plot = { hero, friend, thing, adjective, place };
  const event = pick(EVENTS);
  return { text: `${openings(plot)[shape]} ${happens(event, plot)} ${pick(endings(event, plot))}`, bits };
}

const any = (words: readonly string[]): string => `(${words.join('|')})`;
const OPENING = new RegExp(
  `^(?:Once an? ${any(ADJECTIVES)} ${any(CREATURES)} lived ${any(PLACES)}|` +
    `Once upon a time an? ()${any(CREATURES)} lived ${any(PLACES)}|` +
    `${any(PLACES.map(capital))} lived an? ${any(ADJECTIVES)} ${any(CREATURES)})\\. `,
);
const EVENT = new RegExp(`^[A-Z][a-z]+ ${any(EVENTS)} an? ${any(THINGS)} [a-z]+ the ${any(CREATURES)}\\. `);

/** Whether a text is one of the tales that {@link tell} may tell: every word, and who, what and whom they agree on. */
export function isTale(text: string): boolean {
  const opening = OPENING.exec(text);
  if (opening === null) return false;
  const event = EVENT.exec(text.slice(opening[0].length));
  if (event === null) return false;
  const [, kind, thing, friend] = event;
  const [, ...found] = opening;
  const [adjective = '', hero, place] = [
    found[0] ?? found[3] ?? found[7],
    found[1] ?? found[4] ?? found[8],
    found[2] ?? found[5] ?? PLACES.find((name) => capital(name) === found[6]),
  ];
  if (hero === friend) return false;
  // The words name a plot; whether they tell it, says the telling.
  const plot = { hero, friend, thing, adjective, place } as Plot;
  const told = kind as (typeof EVENTS)[number];
  return openings(plot).some(
    (first, shape) =>
      (shape === 1) === (adjective === '') &&
      endings(told, plot).some((last) => `${first} ${happens(told, plot)} ${last}` === text),
  );
}

const CLASSES = new Map(Array.from(ALPHABET, (character, index) => [character, index]));

/** The class of a byte: a letter that no tale has counts as its small form, anything else as a space. */
export function classOf(byte: number): number {
  const character = String.fromCharCode(byte);
  return CLASSES.get(character) ?? CLASSES.get(character.toLowerCase()) ?? 1;
}
