// A server that speaks MongoDB's protocol, for tests and measurements: SecantusDB, as a process of its own. It is kept in a cache
// outside the checkout: the Rust server where there is cargo, else the Python one.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const RUST_VERSION = '0.5.3-beta.196';
const PYTHON_VERSION = '0.7.0b3';
const START_MS = 60_000;
const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'binding-ledger');
const rust = join(cache, `secantus-${RUST_VERSION}`);
const python = join(cache, `secantus-python-${PYTHON_VERSION}`);

/**
 * The command that starts the server, installed if need be; `undefined` where it cannot be had.
 * @param {(text: string) => void} say
 */
export function findServer(say = () => undefined) {
  const found = () => {
    const [rustServer, pythonServer] = [join(rust, 'bin', 'secantusd-rs'), join(python, 'bin', 'secantusd-py')];
    if (existsSync(rustServer)) return [rustServer, '--log-level', 'WARNING', '--cache-size', '512M', '--sync-on-commit'];
    if (existsSync(pythonServer)) return [pythonServer, '--sync-on-commit', '--enable-test-commands'];
    return undefined;
  };
  const there = found();
  if (there !== undefined) return there;
  mkdirSync(cache, { recursive: true });
  if (works('cargo')) {
    say(`Building SecantusDB ${RUST_VERSION} in ${rust}, once; this takes about five minutes …`);
    tryRun('cargo', ['install', 'secantus-mdb', '--version', `=${RUST_VERSION}`, '--ignore-rust-version', '--root', rust], say);
  }
  if (found() === undefined && works('python3')) {
    say(`Installing SecantusDB ${PYTHON_VERSION} in ${python}, once …`);
    const pip = ['-m', 'pip', 'install', '--quiet', `SecantusDB==${PYTHON_VERSION}`];
    if (tryRun('python3', ['-m', 'venv', python], say)) tryRun(join(python, 'bin', 'python'), pip, say);
  }
  return found();
}

function works(program) {
  return tryRun(program, ['--version'], () => undefined, 'ignore');
}

function tryRun(program, args, say, output = 2) {
  try {
    execFileSync(program, args, { stdio: ['ignore', output, output] });
    return true;
  } catch (error) {
    say(`${program} ${args.slice(0, 2).join(' ')} failed: ${error.message.split('\n')[0]}`);
    return false;
  }
}

/** Starts a server on a port and a folder of its own, both of which it keeps when it is started again. */
export async function startServer([program, ...args]) {
  const folder = mkdtempSync(join(tmpdir(), 'binding-ledger-mongodb-'));
  const port = await freePort();
  let running;
  const server = {
    port,
    folder,
    url: `mongodb://127.0.0.1:${port}/`,
    get pid() {
      return running?.pid;
    },
    async start() {
      running = spawn(program, [...args, '--port', `${port}`, '--storage-path', folder], { stdio: 'ignore' });
      const ended = new Promise((resolve) => running.once('exit', resolve));
      running.ended = ended;
      for (const deadline = Date.now() + START_MS; ; await sleep(50)) {
        if (await answers(port)) return;
        if (running.exitCode !== null || Date.now() > deadline) throw new Error(`${program} did not start on port ${port}`);
      }
    },
    /** Ends the process; by SIGKILL when it is to be taken by surprise. */
    async end(signal = 'SIGTERM') {
      if (running === undefined) return;
      running.kill(signal);
      await running.ended;
      running = undefined;
    },
    async stop() {
      await server.end('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}

async function freePort() {
  const listening = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => listening.once('listening', resolve));
  const { port } = listening.address();
  await new Promise((resolve) => listening.close(resolve));
  return port;
}

function answers(port) {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const end = (answer) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}
