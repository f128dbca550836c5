/** Lets Node run the TypeScript of the tests: `node --import ./test/support/stand-in/typescript.mjs file.ts`. */
import { register } from 'node:module';

register('./typescript-hooks.mjs', import.meta.url);
