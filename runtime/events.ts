import type { Event, EventAttribute } from '#core/abci.ts';
import type { EventSink } from './context.ts';

/** Collects events, behind those of `events`. `extra` attributes are appended to each, e.g. the message's index. */
export class EventLog implements EventSink {
  readonly events: Event[];
  readonly #extra: readonly EventAttribute[];

  constructor(extra: readonly (readonly [key: string, value: string])[] = [], events: Event[] = []) {
    this.events = events;
    this.#extra = extra.map(toAttribute);
  }

  emit(type: string, attributes: readonly (readonly [key: string, value: string])[]): void {
    const extra = this.#extra;
    const { length } = attributes;
    // As long as it will be: an array that grows takes room for more than an event ever has.
    const all: EventAttribute[] = new Array(length + extra.length);
    for (let i = 0; i < length; i++) {
      const [key, value] = attributes[i] as readonly [string, string];
      all[i] = { key, value, index: true };
    }
    for (let i = 0; i < extra.length; i++) all[length + i] = extra[i] as EventAttribute;
    this.events.push({ type, attributes: all });
  }
}

function toAttribute([key, value]: readonly [key: string, value: string]): EventAttribute {
  return { key, value, index: true };
}

/** For what changes state outside blocks: genesis. */
export const noEvents: EventSink = { emit() {} };
