#!/usr/bin/env node
/** The command line as a process. */
import { CommanderError } from 'commander';
import { EXIT, exitCodeOf, isBrokenPipe } from './exit-codes.js';
import { Output } from './output.js';
import { createProgram } from './program.js';

/** Commands that end in order listen for themselves. Any other ends here, and so does one that is told a second time. */
function endWhenTold(): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(EXIT.interrupted);
    });
}

async function main(): Promise<void> {
  try {
    await createProgram().parseAsync();
  } catch (error) {
    if (isBrokenPipe(error)) return;
    // The parser has said for itself what is wrong.
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
      return;
    }
    new Output(process.argv.includes('--json')).error(error);
    process.exitCode = exitCodeOf(error);
  }
}

endWhenTold();
await main();
