/** Names a ledger and its revision: what a read must include to see a write, or what an answer of the past was given for. */
export const LEDGER_REVISION = 'ledger-revision';
