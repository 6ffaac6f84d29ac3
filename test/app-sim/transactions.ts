/** From an operation's draft to bytes: fees, signatures, sequences; and what is wrong with some of them. */
import { toHex } from '#core/bytes.ts';
import * as bank from '#proto/gen/cosmos/bank/v1beta1/tx_pb.ts';
import { pack } from '#proto/message.ts';
import { drawFrom, hostileMessage } from '#runtime/adversarial.test-util.ts';
import type { Coin } from '#runtime/coins.ts';
import { MODULES } from '#runtime/module-table.ts';
import { AUTH_STORE, getAccount } from '#runtime/modules/auth/state.ts';
import { buildTx, type TxPlan } from '#runtime/tx/build.ts';
import type { Rng } from '#test/sim/rng.ts';
import type { Census } from './census.ts';
import { type Draft, type Message, type Operation, type Scene, somebody } from './operations/operation.ts';
import { OPERATIONS } from './operations/table.ts';
import { type Actor, actorOf, CHAIN_ID, DENOM, SECOND_DENOM } from './scenario.ts';

/** A transaction as it stands in a block. */
export interface Sent {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Nothing may make it succeed. */
  readonly mustFail: boolean;
  /** It need not succeed in a run. */
  readonly refused: boolean;
}

interface Signing {
  readonly actor: Actor;
  readonly accountNumber: bigint;
  readonly sequence: bigint;
  /** Its sequence before the block. */
  readonly committed: bigint;
}

const DEFAULT_GAS = 400_000n;
const MAX_FEE = 2_000;
/** Transactions, beside what the validators say. */
export const MOST_IN_A_BLOCK = 40;

/** Who signs several transactions of one block signs them in a row. */
export class Signer {
  readonly #census: Census;
  readonly #ahead = new Map<string, bigint>();

  constructor(census: Census) {
    this.#census = census;
  }

  /** For the next transaction of the actor, which counts unless it is told otherwise. */
  next(actor: Actor, counts = true): Signing {
    const id = toHex(actor.address);
    const ahead = this.#ahead.get(id) ?? 0n;
    if (counts) this.#ahead.set(id, ahead + 1n);
    const account = getAccount(this.#census.context.state.store(AUTH_STORE), actor.address);
    return {
      actor,
      accountNumber: account?.accountNumber ?? 0n,
      sequence: (account?.sequence ?? 0n) + ahead,
      committed: account?.sequence ?? 0n,
    };
  }

  /** Whether a transaction that counts bears the actor's signature. */
  hasSigned({ address }: Actor): boolean {
    return this.#ahead.has(toHex(address));
  }
}

function sign(plan: TxPlan, signings: readonly Signing[], chainId = CHAIN_ID): Uint8Array {
  const signers = signings.map(({ actor, accountNumber, sequence }) => ({ key: actor.key, accountNumber, sequence }));
  return buildTx(plan, chainId, signers);
}

function feeOf(rng: Rng): readonly Coin[] {
  const amount = BigInt(1 + rng.below(MAX_FEE));
  if (rng.chance(0.04)) return [];
  if (rng.chance(0.85)) return [{ denom: DENOM, amount }];
  return [
    { denom: DENOM, amount },
    { denom: SECOND_DENOM, amount: 1n + amount / 3n },
  ];
}

/** Who signs messages with odd fields: they are made for this one. */
const ODD = actorOf(5);

interface Making {
  readonly scene: Scene;
  readonly signer: Signer;
  readonly draft: Draft;
  readonly plan: TxPlan;
  /** Of transactions that have succeeded in earlier blocks. */
  readonly executed: readonly Uint8Array[];
}

/** Unless it is harmless, it must fail whatever stands before it in its block. */
interface Fault {
  readonly name: string;
  /** It may succeed all the same. */
  readonly harmless?: true;
  make(making: Making): Uint8Array | undefined;
}

const uncounted = ({ signer, draft }: Making): Signing => signer.next(draft.signer, false);

export const FAULTS: readonly Fault[] = [
  {
    name: 'fault: little gas',
    harmless: true,
    make: ({ scene, signer, draft, plan }) =>
      sign({ ...plan, gasLimit: BigInt(scene.rng.between(40_000, 200_000)) }, [signer.next(draft.signer)]),
  },
  {
    name: 'fault: far too little gas',
    make: (making) =>
      sign({ ...making.plan, gasLimit: BigInt(making.scene.rng.between(0, 20_000)) }, [uncounted(making)]),
  },
  {
    name: 'fault: wrong sequence',
    make(making) {
      const signing = uncounted(making);
      // One that the account never has in this block, whatever becomes of the transactions before: each raises it by one.
      const { committed } = signing;
      const off = BigInt(making.scene.rng.between(MOST_IN_A_BLOCK + 10, MOST_IN_A_BLOCK + 20));
      const sequence = making.scene.rng.chance(0.5) && committed > 0n ? committed - 1n : committed + off;
      return sign(making.plan, [{ ...signing, sequence }]);
    },
  },
  {
    name: 'fault: timeout over',
    make: (making) => sign({ ...making.plan, timeoutHeight: making.scene.census.context.height }, [uncounted(making)]),
  },
  {
    name: 'fault: malformed bytes',
    make(making) {
      const { rng } = making.scene;
      const bytes = sign(making.plan, [uncounted(making)]);
      if (rng.chance(0.3)) return Uint8Array.from({ length: rng.below(200) }, () => rng.below(256));
      // Of a signature the last byte says whose it is no more than its first: the body must not be cut to nothing.
      return bytes.subarray(0, rng.between(1, bytes.length - 1));
    },
  },
  {
    name: 'fault: a bit turned over',
    make(making) {
      const bytes = sign(making.plan, [uncounted(making)]);
      const at = making.scene.rng.below(bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << making.scene.rng.below(8));
      return bytes;
    },
  },
  {
    name: 'fault: signed for another chain',
    make: (making) => sign(making.plan, [uncounted(making)], 'app-sim-2'),
  },
  {
    name: 'fault: signed by somebody else',
    make(making) {
      const other = somebody(making.scene);
      return other === making.draft.signer ? undefined : sign(making.plan, [{ ...uncounted(making), actor: other }]);
    },
  },
  {
    name: 'fault: fee beyond the balance',
    make(making) {
      // Far more than all that exists, also when the block has brought him all of it.
      const amount = making.scene.census.balance(making.draft.signer) + (1n << 70n);
      return sign({ ...making.plan, fee: [{ denom: DENOM, amount }] }, [uncounted(making)]);
    },
  },
  {
    name: 'fault: fee of a granter who grants nothing',
    make(making) {
      const { scene, draft } = making;
      const other = scene.actors.find(
        (one) =>
          one !== draft.signer &&
          !scene.hasSigned(one) &&
          !scene.census.allowances().some(({ granter, grantee }) => granter === one && grantee === draft.signer),
      );
      return other && sign({ ...making.plan, feeGranter: other.text }, [uncounted(making)]);
    },
  },
  {
    name: 'fault: long memo',
    make: (making) =>
      sign({ ...making.plan, memo: 'm'.repeat(301 + making.scene.rng.below(500)) }, [uncounted(making)]),
  },
  {
    name: 'fault: no messages',
    make: (making) => sign({ ...making.plan, messages: [] }, [uncounted(making)]),
  },
  {
    name: 'fault: sent once more',
    make: ({ scene, executed }) => (executed.length === 0 ? undefined : scene.rng.pick(executed)),
  },
  {
    name: 'fault: last message fails',
    make: ({ scene, signer, draft, plan }) =>
      sign(
        { ...plan, messages: [...plan.messages, send(draft.signer, scene, 1n << 100n)], gasLimit: plan.gasLimit * 2n },
        [signer.next(draft.signer)],
      ),
  },
  {
    name: 'fault: odd fields',
    harmless: true,
    make({ scene, signer, plan }) {
      const draw = drawFrom(Array.from({ length: 64 }, () => scene.rng.below(10_000)));
      const { schema } = scene.rng.pick(MODULES.flatMap(({ messages = [] }) => messages));
      const message = pack(schema, hostileMessage(schema, draw) as never);
      return sign({ ...plan, messages: [message], gasLimit: 3_000_000n }, [signer.next(ODD)]);
    },
  },
];

const FAULT_RATE = 0.15;

function send(from: Actor, scene: Scene, amount: bigint): Message {
  const message = {
    fromAddress: from.text,
    toAddress: somebody(scene).text,
    amount: [{ denom: DENOM, amount: String(amount) }],
  };
  return pack(bank.MsgSendSchema, message);
}

const TOTAL_WEIGHT = OPERATIONS.reduce((sum, { weight }) => sum + weight, 0);

function pickOperation(rng: Rng): Operation {
  let left = (rng.u32() / 0x1_0000_0000) * TOTAL_WEIGHT;
  for (const operation of OPERATIONS) {
    left -= operation.weight;
    if (left < 0) return operation;
  }
  return OPERATIONS[0] as Operation;
}

/** Names of all that a long run has to see succeed. */
export const MUST_SUCCEED: readonly string[] = OPERATIONS.filter(({ refused }) => refused !== true).map(
  ({ name }) => name,
);
/** Names of all that a long run has to try. */
export const MUST_BE_TRIED: readonly string[] = [...OPERATIONS, ...FAULTS].map(({ name }) => name);

/** One transaction, or none when what was drawn makes no sense in this state. */
export function nextTransaction(scene: Scene, signer: Signer, executed: readonly Uint8Array[]): Sent | undefined {
  const { rng } = scene;
  const operation = pickOperation(rng);
  const draft = operation.make(scene);
  if (draft === undefined) return undefined;
  const plan: TxPlan = { messages: draft.messages, fee: feeOf(rng), gasLimit: draft.gasLimit ?? DEFAULT_GAS };
  if (rng.chance(FAULT_RATE)) {
    const fault = rng.pick(FAULTS);
    const bytes = fault.make({ scene, signer, draft, plan, executed });
    return bytes && { name: fault.name, bytes, mustFail: fault.harmless !== true, refused: true };
  }
  const mustFail = operation.refused === true;
  return { name: operation.name, bytes: ordinary(scene, signer, draft, plan), mustFail, refused: mustFail };
}

/** Sometimes paid for by somebody else, sometimes with a second message, sometimes with a timeout that is not over. */
function ordinary(scene: Scene, signer: Signer, draft: Draft, plan: TxPlan): Uint8Array {
  const { rng, census } = scene;
  const first = signer.next(draft.signer);
  const granter = census.allowances().find(({ grantee }) => grantee === draft.signer)?.granter;
  const other = somebody(scene);
  if (granter !== undefined && rng.chance(0.5)) return sign({ ...plan, feeGranter: granter.text }, [first]);
  if (other !== draft.signer && rng.chance(0.03))
    return sign({ ...plan, feePayer: other.text }, [first, signer.next(other)]);
  if (rng.chance(0.06)) {
    const messages = [...plan.messages, send(draft.signer, scene, 2n)];
    return sign({ ...plan, messages, gasLimit: plan.gasLimit * 2n }, [first]);
  }
  return sign({ ...plan, ...(rng.chance(0.1) ? { timeoutHeight: census.context.height + 5n } : {}) }, [first]);
}
