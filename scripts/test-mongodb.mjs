// npm run test:mongodb [-- vitest arguments]: the suites on MongoDB. MONGODB_TEST_URL names a server of one's own for them; without
// it one is started, and the suites that kill it run too.
import { checkNode, ensureBuilt, ensureInstalled, say } from './setup.mjs';
import { findServer, startServer } from './mongodb-server.mjs';
import { runVitest } from './vitest.mjs';

checkNode();
ensureInstalled();
ensureBuilt();
const given = process.env.MONGODB_TEST_URL;
const command = given ? undefined : findServer(say);
if (!given && command === undefined) {
  say('No server of the MongoDB protocol: neither cargo nor python3 could install SecantusDB, and MONGODB_TEST_URL is not set.');
  say('0 passed, 1 failed');
  process.exit(1);
}
const server = given ? undefined : await startServer(command);
const url = given || server.url;
say(given ? 'Testing on the server of MONGODB_TEST_URL; the suites that kill a server are left out.' : `Testing on ${url}`);
const env = { SUITE: 'mongodb', MONGODB_TEST_URL: url, ...(command ? { MONGODB_TEST_SERVER: JSON.stringify(command) } : {}) };
try {
  runVitest(env);
} finally {
  await server?.stop();
}
