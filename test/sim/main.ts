/** `npm run sim`: seeds one after another, or with `--exhaustive` all orders of messages within bounds. */
if (process.argv.includes('--exhaustive')) await import('./search/main.ts');
else await import('./seeds.ts');
