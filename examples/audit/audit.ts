/** An audit from outside: digests are kept where the ledger's operators cannot reach, and later the ledger has to agree with them. */
import type { BindingLedgerClient, Digest, Verification } from '#client';

/** A line for each ledger: to print, to mail to somebody, to put under a time stamp. */
export async function digestsToKeep(client: BindingLedgerClient): Promise<string> {
  let text = '';
  for await (const digest of client.digests()) text += `${JSON.stringify(digest)}\n`;
  return text;
}

/** What is to be said of each ledger that was there when the digests were kept; all is well when every `ok` is true. */
export async function auditAgainst(client: BindingLedgerClient, kept: string): Promise<Verification[]> {
  const reports: Verification[] = [];
  for (const line of kept.split('\n').filter((each) => each !== '')) {
    const { ledger, revision, hash } = JSON.parse(line) as Digest;
    const [backend = '', model = ''] = ledger.split('/');
    reports.push(await client.ledger(backend, model).verify({ digest: { revision, hash } }));
  }
  return reports;
}
