import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { hostsOf, problemOfConnectionString } from './connection.js';
import { openEventStoreDb } from './index.js';

const PASSWORD = 'pass-Zx81-word';

describe('a connection string', () => {
  it.each([
    'esdb://127.0.0.1:2113?tls=false',
    `esdb://ledger:${PASSWORD}@node.example.org:2113?tls=true&tlsCAFile=${import.meta.filename}`,
    `esdb://ledger:p%40ss%3Aword@a.example.org:2113,b.example.org:2113,c.example.org:2113?nodePreference=leader`,
    'esdb+discover://cluster.example.org:2113/?maxDiscoverAttempts=3&connection-name=ledger',
    'esdb://localhost',
  ])('%s is taken', (url) => {
    expect(problemOfConnectionString(url)).toBeUndefined();
  });

  const said: unknown[][] = [];
  beforeEach(() => {
    for (const method of ['warn', 'log', 'error'] as const)
      vi.spyOn(console, method).mockImplementation((...text) => said.push(text));
  });
  afterEach(() => {
    vi.restoreAllMocks();
    said.length = 0;
  });

  it.each<[string, string, RegExp]>([
    ['of another store', `mongodb://ledger:${PASSWORD}@localhost`, /has the form esdb:\/\//],
    ['without a host', 'esdb://?tls=false', /has the form/],
    ['with a password that is not encoded', `esdb://ledger:${PASSWORD}@x@localhost:2113`, /percent-encoded/],
    ['with a slash in the password', `esdb://ledger:${PASSWORD}/x@localhost:2113`, /percent-encoded/],
    ['with an encoding that is none', `esdb://ledger:${PASSWORD}%zz@localhost:2113`, /cannot be read/],
    ['with a port that is none', `esdb://ledger:${PASSWORD}@localhost:http`, /cannot be read/],
    ['with an unknown option', `esdb://ledger:${PASSWORD}@localhost?passwort=x`, /option "passwort" that is not known/],
    ['with an option of a wrong kind', `esdb://ledger:${PASSWORD}@localhost?tls=maybe`, /cannot be read/],
    ['that would not check certificates', `esdb://ledger:${PASSWORD}@localhost?tlsVerifyCert=false`, /tlsCAFile/],
    ['with a certificate that is not there', `esdb://ledger:${PASSWORD}@localhost?tlsCAFile=/no/such.pem`, /certificate/],
  ])('%s is refused in one line without the password, and nothing else is printed', async (_what, url, problem) => {
    expect(problemOfConnectionString(url)).toMatch(problem);
    const refused = await openEventStoreDb({ url }).then(
      () => new Error('it was opened'),
      (error: Error) => error,
    );
    expect(refused).toMatchObject({ code: 'UNAVAILABLE' });
    expect(refused.message).not.toContain(PASSWORD);
    expect(refused.message).not.toContain('\n');
    expect(said).toEqual([]);
  });

  it('names its hosts, and never the user', () => {
    expect(hostsOf(`esdb://ledger:${PASSWORD}@a.example.org:2113,b.example.org:2113?tls=true`)).toBe(
      'a.example.org:2113,b.example.org:2113',
    );
  });
});
