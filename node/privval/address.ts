import { err, ok, type Result } from '#core/result.ts';
import { type AbciAddress, parseAbciAddress } from '../abci/address.ts';

/** Where a node waits for its signer (`priv_validator_laddr`): a unix socket, plain, or TCP, by SecretConnection. */
export type SignerListenAddress = AbciAddress;

/** Where a signer dials in. Over TCP the node may be pinned by the id of its node key. */
export type SignerDialAddress = AbciAddress & {
  /** 40 hex digits; undefined: whoever answers. */
  readonly id?: string;
};

/** `unix://path`, `tcp://host:port` or `tcp://id@host:port`. */
export function parseSignerDialAddress(text: string): Result<SignerDialAddress, string> {
  const pinned = /^tcp:\/\/([0-9a-fA-F]{40})@(.*)$/.exec(text);
  const address = parseAbciAddress(pinned === null ? text : `tcp://${pinned[2]}`);
  if (!address.ok) return err(`expected unix://path or tcp://[id@]host:port, got ${JSON.stringify(text)}`);
  return ok(pinned?.[1] === undefined ? address.value : { ...address.value, id: pinned[1].toLowerCase() });
}
