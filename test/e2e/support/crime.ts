import { fromHex } from '#core/bytes.ts';
import { consensusAddress, ed25519Key } from '#core/crypto/pubkey.ts';
import { toRound } from '#core/types/brand.ts';
import { PREVOTE, type Vote, voteSignBytes } from '#core/types/vote.ts';
import { homePaths } from '#node/config/home.ts';
import { readValidatorKey } from '#node/privval/key-files.ts';
import { evidenceJson } from '#rpc/comet/json/block.ts';
import { readHeaderJson } from '#rpc/comet/json/header.ts';
import { readValidatorJson } from '#rpc/comet/json/validator.ts';
import type { TestNode } from './network.ts';

/** Evidence that a validator, with the key in its home, has signed two prevotes for blocks of a height that is past. */
export async function crimeAt(observer: TestNode, criminal: TestNode, height: bigint) {
  const key = await readValidatorKey(homePaths(criminal.home).validatorKey);
  if (key === undefined) throw new Error(`${criminal.name} has no key of a validator`);
  const at = { height: String(height) };
  const answer = await observer.rpc.call<{ header: unknown }>('header', at);
  const header = readHeaderJson('header', answer.header);
  const set = await observer.rpc.call<{ validators: readonly unknown[] }>('validators', at);
  const members = set.validators.map((item, i) => readValidatorJson(`validators[${i}]`, item));
  const validatorAddress = consensusAddress(ed25519Key(key.publicKey));
  const vote = (digit: string): Vote => {
    const hash = fromHex(digit.repeat(64));
    const unsigned: Omit<Vote, 'signature'> = {
      type: PREVOTE,
      height: header.height,
      round: toRound(0),
      blockId: { hash, partSetHeader: { total: 1, hash } },
      timestamp: header.time,
      validatorAddress,
      validatorIndex: members.findIndex(({ publicKey }) =>
        publicKey.bytes.every((byte, i) => byte === key.publicKey[i]),
      ),
      extension: new Uint8Array(0),
      extensionSignature: new Uint8Array(0),
    };
    return { ...unsigned, signature: key.sign(voteSignBytes(header.chainId, unsigned)) };
  };
  const voteA = vote('1');
  return evidenceJson({
    kind: 'duplicate-vote',
    voteA,
    voteB: vote('2'),
    totalVotingPower: members.reduce((sum, { power }) => sum + power, 0n),
    validatorPower: members[voteA.validatorIndex]?.power ?? 0n,
    timestamp: header.time,
  });
}
