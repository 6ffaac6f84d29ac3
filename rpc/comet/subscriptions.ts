/**
 * Who has subscribed to what, and what each is to be told: CometBFT's event bus for WebSocket clients. Events wait in one
 * bounded queue and are handed out in order, with turns for other work in between; an event's JSON is made once, and only
 * when somebody's query matches. What a client does not take is its connection's business, never the bus's.
 */
import type { Logger } from '#core/ports/logger.ts';
import { ok } from '#core/result.ts';
import type { Answer, Backend, CommittedBlock, ConsensusEvent } from '../backend.ts';
import { RPC_LIMITS, type ServerLimits } from '../limits.ts';
import { type EventValues, matchesPublished, parseQuery, printQuery, type Query } from '../query.ts';
import { blockEvents, consensusEvent, consensusEventName, EVENT_NAME_KEY, type PublishedEvent } from './json/events.ts';
import { type Id, invalid } from './route.ts';

/** Where a client's events go. Neither function waits. */
export interface Outlet {
  /** The text of one event for the subscription that the client made with request `id`. */
  event(text: string): void;
  /** The client's subscription ends without its doing. */
  cancelled(id: Id, reason: string): void;
}

/** One client's subscriptions. */
export interface Subscriber {
  /** Begins with {@link Subscriber.acknowledged}: the answer to the request goes out before the first event. */
  subscribe(id: Id, query: string): Answer<object>;
  unsubscribe(query: string): Answer<object>;
  unsubscribeAll(): Answer<object>;
  /** The answers to all requests so far are on their way. */
  acknowledged(): void;
  /** Ends everything without a word. Answers the requests whose subscriptions ended. */
  close(): readonly Id[];
}

export interface Subscriptions {
  client(outlet: Outlet): Subscriber;
  /** Tells every client that the node goes. */
  close(): void;
}

interface Subscription {
  readonly id: Id;
  /** As the client wrote it: its events repeat it. */
  readonly text: string;
  readonly outlet: Outlet;
  active: boolean;
}

/** All subscriptions to one query. */
interface Group {
  readonly key: string;
  readonly query: Query;
  /** The one event name that the query admits; `undefined`: it names none. */
  readonly eventName: string | undefined;
  readonly subscriptions: Set<Subscription>;
}

type Queued =
  | { readonly kind: 'block'; readonly committed: CommittedBlock }
  | { readonly kind: 'consensus'; readonly event: ConsensusEvent };

type SubscriptionLimits = Pick<ServerLimits, 'maxSubscriptionClients' | 'maxSubscriptionsPerClient'>;

export function createSubscriptions(
  limits: SubscriptionLimits,
  dependencies: { readonly backend: Backend; readonly logger: Logger },
): Subscriptions {
  const { backend, logger } = dependencies;
  const groups = new Map<string, Group>();
  /** The same groups by {@link Group.eventName}. */
  const byName = new Map<string | undefined, Set<Group>>();
  const clients = new Set<Map<string, Subscription>>();
  const queue: Queued[] = [];
  let queuedBlocks = 0;
  let draining = false;
  let closed = false;

  const stopListening = [
    backend.onCommitted((committed) => {
      if (groups.size > 0) enqueue({ kind: 'block', committed });
    }),
    backend.onConsensus((event) => {
      if (byName.has(undefined) || byName.has(consensusEventName(event))) enqueue({ kind: 'consensus', event });
    }),
  ];

  function enqueue(item: Queued): void {
    if (queue.length >= RPC_LIMITS.maxQueuedEvents || queuedBlocks >= RPC_LIMITS.maxQueuedBlocks) {
      logger.warn('Events come faster than they can be handed out: all subscriptions end.', { queued: queue.length });
      clearQueue();
      cancelAll('internal subscription event buffer is out of capacity');
      return;
    }
    queue.push(item);
    if (item.kind === 'block') queuedBlocks++;
    if (!draining) void drain();
  }

  function clearQueue(): void {
    queue.length = 0;
    queuedBlocks = 0;
  }

  function next(): Queued | undefined {
    const item = queue.shift();
    if (item?.kind === 'block') queuedBlocks--;
    return item;
  }

  async function drain(): Promise<void> {
    draining = true;
    // What is told inside a commit must not hold it up.
    await nextTurn();
    for (let item = next(); item !== undefined; item = next()) {
      try {
        if (item.kind === 'consensus') publish(consensusEvent(item.event));
        else await publishBlock(item.committed);
      } catch (error) {
        logger.error('An event could not be published.', { error });
      }
    }
    draining = false;
  }

  async function publishBlock(committed: CommittedBlock): Promise<void> {
    let count = 0;
    for (const event of blockEvents(committed, (tx) => backend.isInjection(tx))) {
      if (groups.size === 0) return;
      publish(event);
      if (++count % RPC_LIMITS.eventsPerTurn === 0) await nextTurn();
    }
  }

  function publish(event: PublishedEvent): void {
    let values: EventValues | undefined;
    let parts: { readonly data: string; readonly events: string } | undefined;
    for (const name of [event.name, undefined])
      for (const group of byName.get(name) ?? []) {
        values ??= event.values();
        if (!matchesPublished(group.query, values)) continue;
        parts ??= { data: JSON.stringify(event.data()), events: JSON.stringify(Object.fromEntries(values)) };
        for (const { id, text, outlet, active } of [...group.subscriptions])
          if (active)
            outlet.event(
              `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":{"query":${JSON.stringify(text)},"data":${parts.data},"events":${parts.events}}}`,
            );
      }
  }

  function groupOf(key: string, query: Query): Group {
    const known = groups.get(key);
    if (known !== undefined) return known;
    const group: Group = { key, query, eventName: eventNameOf(query), subscriptions: new Set() };
    groups.set(key, group);
    const named = byName.get(group.eventName);
    if (named === undefined) byName.set(group.eventName, new Set([group]));
    else named.add(group);
    return group;
  }

  function remove(key: string, subscription: Subscription): void {
    const group = groups.get(key);
    if (group === undefined) return;
    group.subscriptions.delete(subscription);
    if (group.subscriptions.size > 0) return;
    groups.delete(key);
    const named = byName.get(group.eventName);
    named?.delete(group);
    if (named?.size === 0) byName.delete(group.eventName);
  }

  function cancelAll(reason: string): void {
    for (const own of [...clients]) {
      const ended = [...own];
      clients.delete(own);
      own.clear();
      for (const [key, subscription] of ended) {
        remove(key, subscription);
        subscription.outlet.cancelled(subscription.id, reason);
      }
    }
  }

  function client(outlet: Outlet): Subscriber {
    /** By the query in its one spelling. In `clients` while there is any. */
    const own = new Map<string, Subscription>();

    function end(keys: readonly string[]): Id[] {
      const ids: Id[] = [];
      for (const key of keys) {
        const subscription = own.get(key);
        if (subscription === undefined) continue;
        own.delete(key);
        remove(key, subscription);
        ids.push(subscription.id);
      }
      if (own.size === 0) clients.delete(own);
      return ids;
    }

    return {
      subscribe(id, text) {
        if (closed) return { ok: false, error: { kind: 'unavailable', message: 'the node is stopping' } };
        if (!clients.has(own) && clients.size >= limits.maxSubscriptionClients)
          return invalid(`max_subscription_clients ${limits.maxSubscriptionClients} reached`);
        if (own.size >= limits.maxSubscriptionsPerClient)
          return invalid(`max_subscriptions_per_client ${limits.maxSubscriptionsPerClient} reached`);
        const query = parseQuery(text);
        if (!query.ok) return invalid(query.error);
        const key = printQuery(query.value);
        if (own.has(key)) return invalid('already subscribed');
        const subscription: Subscription = { id, text, outlet, active: false };
        own.set(key, subscription);
        clients.add(own);
        groupOf(key, query.value).subscriptions.add(subscription);
        return ok({});
      },
      unsubscribe(text) {
        const query = parseQuery(text);
        if (!query.ok) return invalid(query.error);
        return end([printQuery(query.value)]).length === 0 ? invalid('subscription not found') : ok({});
      },
      unsubscribeAll: () => (end([...own.keys()]).length === 0 ? invalid('subscription not found') : ok({})),
      acknowledged() {
        for (const subscription of own.values()) subscription.active = true;
      },
      close: () => end([...own.keys()]),
    };
  }

  return {
    client,
    close() {
      closed = true;
      for (const stop of stopListening) stop();
      clearQueue();
      cancelAll('the node is stopping');
    },
  };
}

function eventNameOf({ conditions }: Query): string | undefined {
  for (const condition of conditions)
    if (condition.kind === 'compare' && condition.key === EVENT_NAME_KEY && condition.operator === '=')
      return condition.operand.text;
  return undefined;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
