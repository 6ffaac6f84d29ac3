import { EMPTY } from '#core/bytes.ts';
import { signSecp256k1 } from '#core/crypto/keys.ts';
import { pureVerifier } from '#core/crypto/verify.ts';
import type { Verifier } from '#core/ports/crypto.ts';
import { GenericAuthorizationSchema } from '#proto/gen/cosmos/authz/v1beta1/authz_pb.ts';
import { MsgExecSchema, MsgGrantSchema } from '#proto/gen/cosmos/authz/v1beta1/tx_pb.ts';
import { MsgMultiSendSchema } from '#proto/gen/cosmos/bank/v1beta1/tx_pb.ts';
import { LegacyAminoPubKeySchema } from '#proto/gen/cosmos/crypto/multisig/keys_pb.ts';
import { CompactBitArraySchema, MultiSignatureSchema } from '#proto/gen/cosmos/crypto/multisig/v1beta1/multisig_pb.ts';
import { PubKeySchema } from '#proto/gen/cosmos/crypto/secp256k1/keys_pb.ts';
import { BasicAllowanceSchema } from '#proto/gen/cosmos/feegrant/v1beta1/feegrant_pb.ts';
import { MsgGrantAllowanceSchema } from '#proto/gen/cosmos/feegrant/v1beta1/tx_pb.ts';
import { SignMode } from '#proto/gen/cosmos/tx/signing/v1beta1/signing_pb.ts';
import { AuthInfoSchema, TxBodySchema, TxRawSchema } from '#proto/gen/cosmos/tx/v1beta1/tx_pb.ts';
import { MsgCreateVestingAccountSchema } from '#proto/gen/cosmos/vesting/v1beta1/tx_pb.ts';
import { create, encode, type MessageInitShape, pack } from '#proto/message.ts';
import { formatAddress, moduleAddress } from '../address.ts';
import { authModule } from '../modules/auth/module.ts';
import { authzModule } from '../modules/authz/module.ts';
import { bankModule } from '../modules/bank/module.ts';
import { chainModule } from '../modules/chain/module.ts';
import { feegrantModule } from '../modules/feegrant/module.ts';
import { vestingModule } from '../modules/vesting/module.ts';
import { startTestChain, TEST_CHAIN_ID, TEST_TIME, type TestChain, testKey } from '../test-chain.ts';
import { addressOfKey, readAccountKey } from './account-key.ts';
import { aminoSignBytes } from './amino-json.ts';
import { buildTx, type TxPlan } from './build.ts';
import { decodeTx } from './decode.ts';
import { directSignBytes } from './sign-bytes.ts';

export const [alice, bob, carol, dave] = [testKey(1), testKey(2), testKey(3), testKey(4)] as const;
const stranger = testKey(99);
export const vester = testKey(70);
const START = 1_000_000_000n;

/** Signatures of the same few transactions are verified again and again. */
export function rememberingVerifier(): Verifier {
  const verdicts = new Map<string, boolean>();
  return {
    ...pureVerifier,
    secp256k1(publicKey, message, signature) {
      const name = [publicKey, message, signature].map(String).join();
      const verdict = verdicts.get(name) ?? pureVerifier.secp256k1(publicKey, message, signature);
      verdicts.set(name, verdict);
      return verdict;
    },
  };
}

type Message = TxPlan['messages'][number];

const members = [11, 12, 13].map(testKey);
const groupKey = pack(LegacyAminoPubKeySchema, {
  threshold: 2,
  publicKeys: members.map(({ publicKey }) => pack(PubKeySchema, { key: publicKey })),
});

function groupAddress(chain: TestChain): string {
  const read = readAccountKey(groupKey);
  if (!read.ok) throw new Error(read.error.message);
  return formatAddress({ bech32Prefix: chain.prefix }, addressOfKey(read.value));
}

/** A send signed by the first and the third member, in both sign modes. */
function groupTx(chain: TestChain, messages: readonly Message[], accountNumber: bigint, sequence: bigint): Uint8Array {
  const bodyBytes = encode(TxBodySchema, { messages: messages.map((one) => ({ ...one })) });
  const single = (mode: SignMode) => ({ sum: { case: 'single' as const, value: { mode } } });
  const info: MessageInitShape<typeof AuthInfoSchema> = {
    signerInfos: [
      {
        publicKey: { ...groupKey },
        modeInfo: {
          sum: {
            case: 'multi',
            value: {
              bitarray: create(CompactBitArraySchema, { elems: Uint8Array.of(0xa0), extraBitsStored: 3 }),
              modeInfos: [single(SignMode.DIRECT), single(SignMode.LEGACY_AMINO_JSON)],
            },
          },
        },
        sequence,
      },
    ],
    fee: { amount: [{ denom: 'uauton', amount: '1500' }], gasLimit: 300_000n },
  };
  const authInfoBytes = encode(AuthInfoSchema, info);
  const decoded = decodeTx(encode(TxRawSchema, { bodyBytes, authInfoBytes }), chain.app.table);
  if (!decoded.ok) throw new Error(decoded.error.message);
  const amino = aminoSignBytes(decoded.value, chain.app.table, { chainId: TEST_CHAIN_ID, accountNumber, sequence });
  if (!amino.ok) throw new Error(amino.error.message);
  const [first, , third] = members as [typeof alice, typeof alice, typeof alice];
  const signatures = [
    signSecp256k1(first.privateKey, directSignBytes({ bodyBytes, authInfoBytes }, TEST_CHAIN_ID, accountNumber)),
    signSecp256k1(third.privateKey, amino.value),
  ];
  return encode(TxRawSchema, {
    bodyBytes,
    authInfoBytes,
    signatures: [encode(MultiSignatureSchema, { signatures })],
  });
}

/** A transaction put together by hand, for what `buildTx` does not make. Its signature is of zeros unless `sign`. */
export function rawTx(
  messages: readonly Message[],
  changes: {
    readonly sequence?: bigint;
    readonly mode?: SignMode;
    readonly sign?: (decoded: Uint8Array, bodyBytes: Uint8Array, authInfoBytes: Uint8Array) => Uint8Array;
    readonly bodyTail?: Uint8Array;
    readonly authTail?: Uint8Array;
    readonly without?: 'key' | 'mode';
    readonly gasLimit?: bigint;
  } = {},
): Uint8Array {
  const { sequence = 0n, mode = SignMode.DIRECT, bodyTail = EMPTY, authTail = EMPTY, gasLimit = 200_000n } = changes;
  const body = encode(TxBodySchema, { messages: messages.map((one) => ({ ...one })) });
  const info = encode(AuthInfoSchema, {
    signerInfos: [
      {
        ...(changes.without === 'key' ? {} : { publicKey: pack(PubKeySchema, { key: alice.publicKey }) }),
        ...(changes.without === 'mode' ? {} : { modeInfo: { sum: { case: 'single', value: { mode } } } }),
        sequence,
      },
    ],
    fee: { amount: [{ denom: 'uauton', amount: '1000' }], gasLimit },
  });
  const bodyBytes = Uint8Array.from([...body, ...bodyTail]);
  const authInfoBytes = Uint8Array.from([...info, ...authTail]);
  const unsigned = encode(TxRawSchema, { bodyBytes, authInfoBytes });
  const signature = changes.sign?.(unsigned, bodyBytes, authInfoBytes) ?? new Uint8Array(64);
  return encode(TxRawSchema, { bodyBytes, authInfoBytes, signatures: [signature] });
}

/** Only of the modules that these transactions need: what others have at genesis is no concern of theirs. */
export async function startMixedChain(): Promise<TestChain> {
  const chain = await startTestChain({
    modules: [chainModule, authModule, bankModule, feegrantModule, authzModule, vestingModule],
    accounts: 4,
    minGasPrices: '0.001uauton',
    coins: [
      { denom: 'uauton', amount: START },
      { denom: 'uother', amount: 50n },
    ],
  });
  await chain.block();
  return chain;
}

function groupNumber(chain: TestChain): bigint {
  const account = chain.app.exportGenesis().auth as unknown as {
    accounts: readonly { address?: string; account_number?: string }[];
  };
  const found = account.accounts.find(({ address }) => address === groupAddress(chain));
  if (found?.account_number === undefined) throw new Error('the group has no account');
  return BigInt(found.account_number);
}

type NamedTx = readonly [name: string, tx: Uint8Array];

const coins = (amount: bigint, denom = 'uauton') => ({ denom, amount: String(amount) });
const fee = (amount: bigint, denom = 'uauton') => [{ denom, amount }];
const moduleText = (name: string) => formatAddress({ bech32Prefix: 'auton' }, moduleAddress(name));

/** Alice's transactions on this chain, with what differs from a send of one uauton to Bob. */
function alicesTxs(chain: TestChain) {
  const to = chain.address(bob);
  const send = (amount = 1n): Message => chain.send(alice, to, amount);
  const signed = (changes: Partial<TxPlan>, signer: object = {}) =>
    buildTx({ messages: [send()], fee: fee(1_000n), gasLimit: 200_000n, ...changes }, TEST_CHAIN_ID, [
      { key: alice, accountNumber: 0n, sequence: 0n, ...signer },
    ]);
  return { to, send, signed };
}

/** Refused by the ante checks, but for the last two. */
function refusedTxs(chain: TestChain): readonly NamedTx[] {
  const { to, send, signed } = alicesTxs(chain);
  return [
    ['wrong sequence', signed({}, { sequence: 3n })],
    ['wrong account number', signed({}, { accountNumber: 9n })],
    ['another key', signed({}, { key: bob })],
    ['zeros for a signature', rawTx([send()])],
    ['funds for the fee', signed({ fee: fee(START + 1n) })],
    ['a fee in what is no fee', signed({ fee: fee(1n, 'unknown') })],
    ['unsorted fee', signed({ fee: [...fee(1n, 'uother'), ...fee(1n)] })],
    ['absent sender', chain.sign(stranger, { messages: [chain.send(stranger, to, 1n)] })],
    ['memo', signed({ memo: 'é'.repeat(129) })],
    ['timeout', signed({ timeoutHeight: 1n })],
    ['no gas', signed({ gasLimit: 0n })],
    ['little gas', signed({ gasLimit: 900n })],
    ['too much gas', signed({ gasLimit: 1n << 63n })],
    ['no message', signed({ messages: [] })],
    ['unknown message', signed({ messages: [{ typeUrl: '/cosmos.bank.v1beta1.MsgBurn', value: EMPTY }] })],
    ['recipient that is no address', signed({ messages: [chain.send(alice, 'nobody', 1n)] })],
    [
      'recipient of another chain',
      signed({ messages: [chain.send(alice, 'cosmos1pkptre7fdkl6gfrzlesjjvhxhlc3r4gmmk8rs6', 1n)] }),
    ],
    ['zero amount', signed({ messages: [send(0n)] })],
    ['sent by a module', signed({ feePayer: moduleText('mint') })],
    ['granter without a grant', signed({ feeGranter: chain.address(dave) })],
    ['granter that is no address', signed({ feeGranter: 'nobody' })],
    ['critical unknown field', rawTx([send()], { bodyTail: Uint8Array.of(0x20, 1) })],
    ['unknown field of auth_info', rawTx([send()], { authTail: Uint8Array.of(0xfa, 0x7f, 0) })],
    ['an unknown sign mode', rawTx([send()], { mode: SignMode.TEXTUAL })],
    ['no mode', rawTx([send()], { without: 'mode' })],
    ['garbage', Uint8Array.of(1, 2, 3)],
    ['nothing', EMPTY],
    // In a block nobody's price is asked.
    ['a fee below the price', signed({ fee: fee(199n) })],
    ['no fee', signed({ fee: [] }, { sequence: 1n })],
  ];
}

/** Sends, and ways in which their messages fail. */
function sendTxs(chain: TestChain): readonly NamedTx[] {
  const { to, send, signed } = alicesTxs(chain);
  return [
    ['send', signed({}, { sequence: 2n })],
    ['the same again', signed({}, { sequence: 2n })],
    [
      'send to a new account, with a memo',
      signed({ messages: [chain.send(alice, chain.address(testKey(50)), 7n)], memo: 'hé' }, { sequence: 3n }),
    ],
    ['send to oneself', signed({ messages: [chain.send(alice, chain.address(alice), 3n)] }, { sequence: 4n })],
    ['two sends', signed({ messages: [send(), send(2n)] }, { sequence: 5n })],
    ['two sends, the second too much', signed({ messages: [send(), send(START)] }, { sequence: 6n })],
    [
      'send to a module',
      signed(
        {
          messages: [chain.send(alice, moduleText('fee_collector'), 1n)],
        },
        { sequence: 7n },
      ),
    ],
    ['out of gas in the message', signed({ gasLimit: 54_000n }, { sequence: 8n })],
    [
      'multi-send',
      signed(
        {
          messages: [
            pack(MsgMultiSendSchema, {
              inputs: [{ address: chain.address(alice), coins: [coins(10n), coins(3n, 'uother')] }],
              outputs: [
                { address: to, coins: [coins(4n)] },
                { address: chain.address(testKey(51)), coins: [coins(6n), coins(3n, 'uother')] },
              ],
            }),
          ],
        },
        { sequence: 9n },
      ),
    ],
    [
      'amino, with a non-critical field, which amino cannot show',
      rawTx([send()], { sequence: 10n, mode: SignMode.LEGACY_AMINO_JSON, bodyTail: Uint8Array.of(0xc2, 0x40, 1, 7) }),
    ],
    [
      'amino',
      rawTx([send()], {
        sequence: 10n,
        mode: SignMode.LEGACY_AMINO_JSON,
        sign(unsigned) {
          const decoded = decodeTx(unsigned, chain.app.table);
          if (!decoded.ok) throw new Error(decoded.error.message);
          const bytes = aminoSignBytes(decoded.value, chain.app.table, {
            chainId: TEST_CHAIN_ID,
            accountNumber: 0n,
            sequence: 10n,
          });
          if (!bytes.ok) throw new Error(bytes.error.message);
          return signSecp256k1(alice.privateKey, bytes.value);
        },
      }),
    ],
    [
      'direct, with a non-critical field, without a key',
      rawTx([send()], {
        sequence: 11n,
        bodyTail: Uint8Array.of(0xc2, 0x40, 1, 7),
        without: 'key',
        sign: (_, bodyBytes, authInfoBytes) =>
          signSecp256k1(alice.privateKey, directSignBytes({ bodyBytes, authInfoBytes }, TEST_CHAIN_ID, 0n)),
      }),
    ],
    [
      'two signers and a payer',
      buildTx(
        {
          messages: [send(5n), chain.send(bob, chain.address(carol), 2n)],
          fee: [...fee(2_000n), ...fee(1n, 'uother')],
          gasLimit: 300_000n,
          feePayer: chain.address(carol),
        },
        TEST_CHAIN_ID,
        [
          { key: alice, accountNumber: 0n, sequence: 12n },
          { key: bob, accountNumber: 1n, sequence: 0n },
          { key: carol, accountNumber: 2n, sequence: 0n },
        ],
      ),
    ],
    ['all that is there', chain.sign(dave, { messages: [chain.send(dave, to, START - 1_000n)] })],
  ];
}

/** Grants, and accounts of other kinds. */
function grantTxs(chain: TestChain): readonly NamedTx[] {
  const plan = (messages: Message[]) => ({ messages, gasLimit: 400_000n });
  return [
    [
      'grant of an allowance',
      chain.sign(
        alice,
        plan([
          pack(MsgGrantAllowanceSchema, {
            granter: chain.address(alice),
            grantee: chain.address(dave),
            allowance: pack(BasicAllowanceSchema, { spendLimit: [coins(1_500n)] }),
          }),
        ]),
      ),
    ],
    [
      'grant of a message',
      chain.sign(
        alice,
        plan([
          pack(MsgGrantSchema, {
            granter: chain.address(alice),
            grantee: chain.address(bob),
            grant: {
              authorization: pack(GenericAuthorizationSchema, { msg: '/cosmos.bank.v1beta1.MsgSend' }),
              expiration: { seconds: TEST_TIME.seconds + 1_000n, nanos: 0 },
            },
          }),
        ]),
        1n,
      ),
    ],
    [
      'vesting account',
      chain.sign(
        alice,
        plan([
          pack(MsgCreateVestingAccountSchema, {
            fromAddress: chain.address(alice),
            toAddress: chain.address(vester),
            amount: [coins(1_000_000n)],
            endTime: TEST_TIME.seconds + 1_000n,
          }),
        ]),
        2n,
      ),
    ],
    ['coins for the group', chain.sign(alice, { messages: [chain.send(alice, groupAddress(chain), 10_000n)] }, 3n)],
    [
      'coins for the vesting account',
      chain.sign(alice, { messages: [chain.send(alice, chain.address(vester), 5_000n)] }, 4n),
    ],
  ];
}

/** Uses what {@link grantTxs} made. */
function usingTxs(chain: TestChain): readonly NamedTx[] {
  const { to, send } = alicesTxs(chain);
  const exec = (...inner: Message[]) => pack(MsgExecSchema, { grantee: chain.address(bob), msgs: inner });
  const outOfGroup = pack(MsgMultiSendSchema, {
    inputs: [{ address: groupAddress(chain), coins: [coins(10n)] }],
    outputs: [{ address: to, coins: [coins(10n)] }],
  });
  const granted = { messages: [chain.send(dave, to, 1n)], feeGranter: chain.address(alice) };
  return [
    ['fee by an allowance, nothing to send', chain.sign(dave, granted)],
    ['fee beyond the allowance', chain.sign(dave, granted, 1n)],
    ['exec of a send', chain.sign(bob, { messages: [exec(send(11n))], gasLimit: 300_000n })],
    ['exec of what was not granted', chain.sign(bob, { messages: [exec(chain.send(carol, to, 1n))] }, 1n)],
    ['exec of an exec of what is wrong', chain.sign(bob, { messages: [exec(exec(send(0n)))] }, 2n)],
    ['send of coins that vest', chain.sign(vester, { messages: [chain.send(vester, to, 500_000n)] })],
    ['send of coins that do not', chain.sign(vester, { messages: [chain.send(vester, to, 100n)] }, 1n)],
    ['group', groupTx(chain, [outOfGroup], groupNumber(chain), 0n)],
    ['group with a wrong signature', groupTx(chain, [outOfGroup], 77n, 1n)],
  ];
}

/** The blocks of one chain; each is made when the one before is committed. */
export const MIXED_BLOCKS: readonly ((chain: TestChain) => readonly NamedTx[])[] = [
  refusedTxs,
  sendTxs,
  grantTxs,
  usingTxs,
];
