/** A command sees what the commands before it wrote. */
export const READ_OWN_WRITES = { atLeast: 'head', atLeastTimeoutMs: 10_000 } as const;
