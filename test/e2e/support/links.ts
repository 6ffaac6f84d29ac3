/** The connections of a test network led through TCP proxies of the test, which can delay, stall and cut them. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import type { Rng } from '../../sim/rng.ts';
import { configure, type TestNetwork } from './network.ts';

/**
 * `slow`: every piece waits `delayMs`; one of `lossIn` is lost and sent again `resendMs` later, and all behind it wait
 * with it: what a lost packet looks like to the one who reads from TCP.
 * `stalled`: a black hole. Nothing goes through, no hang-up either; dialling seems to succeed.
 * `cut`: connections are reset, new ones refused.
 */
export type Trouble =
  | { readonly kind: 'slow'; readonly delayMs: number; readonly lossIn: number; readonly resendMs: number }
  | { readonly kind: 'stalled' }
  | { readonly kind: 'cut' };

/** The TCP connections between two nodes. */
export interface Link {
  readonly ends: readonly [number, number];
  /** Answers what ends the trouble. Troubles add up: the worst of them is what the connections feel. */
  add(trouble: Trouble): () => void;
}

export interface Links {
  readonly all: readonly Link[];
  of(node: number): readonly Link[];
  /** Those that lead out of a group of nodes. */
  around(group: ReadonlySet<number>): readonly Link[];
}

/** Bytes under way in one direction; beyond, the sender is held up. */
const MOST_UNDER_WAY = 1_048_576;

interface Piece {
  readonly due: number;
  /** Undefined: the end of the connection. */
  readonly bytes: Buffer | undefined;
}

/** One direction of one connection. */
class Pipe {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #delay: () => number | undefined;
  #pieces: Piece[] = [];
  #underWay = 0;
  #lastDue = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param delay of the next piece, ms; undefined while nothing goes through. */
  constructor(from: Socket, to: Socket, delay: () => number | undefined) {
    this.#from = from;
    this.#to = to;
    this.#delay = delay;
    from.on('data', (bytes: Buffer) => this.#take(bytes));
    from.on('close', () => this.#take(undefined));
    // An error is followed by a close.
    from.on('error', () => undefined);
  }

  #take(bytes: Buffer | undefined): void {
    this.#lastDue = Math.max(this.#lastDue, Date.now() + (this.#delay() ?? 0));
    this.#pieces.push({ due: this.#lastDue, bytes });
    this.#underWay += bytes?.length ?? 0;
    if (this.#underWay > MOST_UNDER_WAY) this.#from.pause();
    this.flow();
  }

  /** Hands on what is due. Called again when a trouble begins or ends. */
  flow(): void {
    clearTimeout(this.#timer);
    if (this.#delay() === undefined || this.#to.connecting) return;
    const now = Date.now();
    while (this.#pieces[0] !== undefined && this.#pieces[0].due <= now) {
      const { bytes } = this.#pieces.shift() as Piece;
      if (bytes === undefined) this.#to.destroySoon();
      else if (this.#to.writable) this.#to.write(bytes);
      this.#underWay -= bytes?.length ?? 0;
    }
    if (this.#underWay <= MOST_UNDER_WAY && this.#from.isPaused()) this.#from.resume();
    const next = this.#pieces[0];
    if (next !== undefined) this.#timer = setTimeout(() => this.flow(), next.due - now);
  }

  destroy(): void {
    clearTimeout(this.#timer);
    this.#pieces = [];
    for (const socket of [this.#from, this.#to]) socket.resetAndDestroy();
  }
}

class ProxiedLink implements Link {
  readonly ends: readonly [number, number];
  readonly #target: number;
  readonly #rng: Rng;
  readonly #troubles = new Set<Trouble>();
  readonly #pipes = new Set<Pipe>();
  readonly #server: Server;

  constructor(ends: readonly [number, number], target: number, rng: Rng) {
    this.ends = ends;
    this.#target = target;
    this.#rng = rng;
    this.#server = createServer((socket) => this.#connected(socket));
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
    return address.port;
  }

  #feels(kind: Trouble['kind']): boolean {
    return [...this.#troubles].some((trouble) => trouble.kind === kind);
  }

  #delay(): number | undefined {
    if (this.#feels('stalled')) return undefined;
    let ms = 0;
    for (const trouble of this.#troubles)
      if (trouble.kind === 'slow')
        ms += trouble.delayMs + (this.#rng.below(trouble.lossIn) === 0 ? trouble.resendMs : 0);
    return ms;
  }

  #connected(socket: Socket): void {
    socket.on('error', () => undefined);
    if (this.#feels('cut')) {
      socket.resetAndDestroy();
      return;
    }
    socket.setNoDelay(true);
    const onward = connect({ port: this.#target, host: '127.0.0.1', noDelay: true });
    const delay = () => this.#delay();
    const pipes = [new Pipe(socket, onward, delay), new Pipe(onward, socket, delay)];
    for (const pipe of pipes) this.#pipes.add(pipe);
    onward.on('connect', () => pipes[0]?.flow());
    let open = 2;
    for (const one of [socket, onward])
      one.on('close', () => {
        open -= 1;
        if (open === 0) for (const pipe of pipes) this.#pipes.delete(pipe);
      });
  }

  add(trouble: Trouble): () => void {
    this.#troubles.add(trouble);
    if (trouble.kind === 'cut') this.#reset();
    return () => {
      this.#troubles.delete(trouble);
      for (const pipe of this.#pipes) pipe.flow();
    };
  }

  #reset(): void {
    for (const pipe of this.#pipes) pipe.destroy();
    this.#pipes.clear();
  }

  close(): void {
    this.#server.close();
    this.#reset();
  }
}

/**
 * One proxy for each pair of nodes; their configurations are rewritten to dial it, and to look for nobody else. Call it
 * before they are started. Ends with the test.
 */
export async function linkThroughProxies(net: TestNetwork, rng: Rng): Promise<Links> {
  const links: ProxiedLink[] = [];
  onTestFinished(() => {
    for (const link of links) link.close();
  });
  for (const [i, node] of net.nodes.entries()) {
    const peers: string[] = [];
    for (const [j, other] of net.nodes.slice(0, i).entries()) {
      const link = new ProxiedLink([j, i], other.ports.p2p, rng.fork());
      links.push(link);
      peers.push(`${other.nodeId}@127.0.0.1:${await link.listen()}`);
    }
    await configure(node, 'p2p', { persistent_peers: peers.join(','), pex: false });
  }
  return {
    all: links,
    of: (node) => links.filter(({ ends }) => ends.includes(node)),
    around: (group) => links.filter(({ ends: [a, b] }) => group.has(a) !== group.has(b)),
  };
}
