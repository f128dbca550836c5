import { MongoInvalidArgumentError, MongoNetworkError, MongoServerError, MongoServerSelectionError } from 'mongodb';
import { describe, expect, it } from 'vitest';
import { isDuplicateKey, isUnavailable, messageOf } from './index.js';

const ofServer = (code: number) => new MongoServerError({ message: 'the server says no', code });

describe('an error of the database', () => {
  it('is its being unavailable: lost, slow, not the primary, refusing the user, shutting down', () => {
    const selection = new MongoServerSelectionError('no server', { servers: new Map() } as never);
    for (const error of [
      new MongoNetworkError('lost'),
      selection,
      ofServer(10_107),
      ofServer(13),
      ofServer(18),
      ofServer(91),
      ofServer(64),
    ])
      expect(isUnavailable(error)).toBe(true);
  });

  it('is so too when the driver hands on the socket’s own', () => {
    expect(isUnavailable(Object.assign(new Error('write ECONNRESET'), { code: 'ECONNRESET', syscall: 'write' }))).toBe(true);
    expect(isUnavailable(Object.assign(new Error('gone'), { code: 'ERR_STREAM_DESTROYED' }))).toBe(true);
  });

  it('is anything else when it speaks of what was asked', () => {
    const wrong = [
      ofServer(2),
      ofServer(11_000),
      new MongoInvalidArgumentError('wrong'),
      new Error('broken invariant'),
      'text',
      null,
    ];
    for (const error of wrong) expect(isUnavailable(error)).toBe(false);
    expect(isDuplicateKey(ofServer(11_000))).toBe(true);
    expect(isDuplicateKey(ofServer(2))).toBe(false);
  });

  it('is told without the password of the URL, as it stands there and as it reads', () => {
    const url = 'mongodb://operator:p%40ss%2Fword@db.example.org/ledger';
    for (const said of ['p%40ss%2Fword', 'p@ss/word', url, 'mongodb+srv://someone:else@host']) {
      const message = messageOf(new Error(`cannot use ${said}, sorry`), url);
      expect(message).toMatch(/^cannot use .*, sorry$/);
      expect(message).not.toMatch(/p%40ss|p@ss|someone|else/);
    }
  });
});
