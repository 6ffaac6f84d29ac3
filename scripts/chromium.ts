/** Chromium for the tests of pages: found, installed from Debian's packages where that is allowed, or asked for. */
import { spawnSync } from 'node:child_process';
import { chromiumPath } from '#test/browser/support/chromium.ts';

const INSTALL = ['install', '-y', '--no-install-recommends', 'chromium'];
const timeout = 10 * 60_000;

const apt = (args: readonly string[]): boolean =>
  spawnSync('apt-get', ['-qq', ...args], {
    stdio: 'ignore',
    timeout,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  }).status === 0;

/** Whether there is a Chromium now. What is missing, and how to bring it, is said on the terminal. */
export function ensureChromium(): boolean {
  if (chromiumPath() !== undefined) return true;
  if (process.getuid?.() === 0) {
    console.log('Chromium is missing: installing the Debian package chromium …');
    // Package lists of this machine may be old or absent.
    if ((apt(INSTALL) || (apt(['update']) && apt(INSTALL))) && chromiumPath() !== undefined) return true;
  }
  console.log(
    'NOT RUN: the tests of pages need Chromium. Install it (Debian: apt-get install chromium) or name one in $CHROMIUM.',
  );
  return false;
}
