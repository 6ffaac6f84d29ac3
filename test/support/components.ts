import { wrapComponent } from '#vm/component.ts';

/** A component around bytes that packaging would refuse. */
export function unchecked(core: Uint8Array): Uint8Array {
  return wrapComponent(core);
}
