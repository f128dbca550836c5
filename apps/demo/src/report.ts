import type { Tally } from './jobs.js';

const COUNT_WIDTH = 7;
const TITLE_WIDTH = 46;

export function heading(text: string): void {
  process.stdout.write(`\n${text}\n`);
}

export function line(text: string): void {
  process.stdout.write(`  ${text}\n`);
}

export function show(title: string, { sent, results, refusals, tookMs }: Tally): void {
  const parts = [...results].sort(([, a], [, b]) => b - a).map(([result, count]) => `${count} ${result}`);
  const rate = Math.round(sent / (tookMs / 1000)).toLocaleString('en');
  line(
    `${title.padEnd(TITLE_WIDTH)}${String(sent).padStart(COUNT_WIDTH)} sent   ${parts.join(', ')}   (${Math.round(tookMs)} ms, ${rate}/s)`,
  );
  for (const refusal of refusals) line(`  refused: ${refusal}`);
}
