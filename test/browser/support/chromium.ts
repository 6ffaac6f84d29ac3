import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { onTestFinished } from 'vitest';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'] as const;

/** The Chromium of this machine, or `$CHROMIUM`; undefined when there is none. */
export function chromiumPath(): string | undefined {
  const asked = process.env.CHROMIUM;
  if (asked !== undefined && asked !== '') return asked;
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin'].filter((folder) => folder !== '');
  for (const name of NAMES) {
    const found = folders.map((folder) => join(folder, name)).find(existsSync);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A page of a headless browser. Errors that the page does not catch fail the test; both end with it. */
export async function openPage(url: string): Promise<Page> {
  const path = chromiumPath();
  if (path === undefined) throw new Error('there is no Chromium on this machine');
  // The sandbox of Chromium refuses to run as root, which is what containers have.
  const browser: Browser = await chromium.launch({ executablePath: path, args: ['--no-sandbox'] });
  const errors: Error[] = [];
  onTestFinished(async () => {
    await browser.close();
    if (errors.length > 0) throw new AggregateError(errors, 'the page has thrown');
  });
  const page = await browser.newPage();
  page.on('pageerror', (error) => errors.push(error));
  await page.goto(url);
  return page;
}
