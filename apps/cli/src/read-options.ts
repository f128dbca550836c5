/** A command sees what the commands before it wrote. */
export const READ_OWN_WRITES = { atLeast: 'head', atLeastTimeoutMs: 10_000 } as const;

export const AS_OF = 'as it was then: ISO 8601 with zone, or a revision of the ledger';
