import type { Event, EventAttribute } from '#core/abci.ts';
import type { EventSink } from './context.ts';

/** Collects events. `extra` attributes are appended to each, e.g. the message's index. */
export class EventLog implements EventSink {
  readonly events: Event[] = [];
  readonly #extra: readonly EventAttribute[];

  constructor(extra: readonly (readonly [key: string, value: string])[] = []) {
    this.#extra = extra.map(toAttribute);
  }

  emit(type: string, attributes: readonly (readonly [key: string, value: string])[]): void {
    const all: EventAttribute[] = [];
    for (const attribute of attributes) all.push(toAttribute(attribute));
    for (const attribute of this.#extra) all.push(attribute);
    this.events.push({ type, attributes: all });
  }
}

function toAttribute([key, value]: readonly [key: string, value: string]): EventAttribute {
  return { key, value, index: true };
}

/** For what changes state outside blocks: genesis. */
export const noEvents: EventSink = { emit() {} };
