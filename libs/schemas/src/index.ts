export * from './answers.js';
export * from './catalog.js';
export * from './commands.js';
export * from './problems.js';
export * from './queries.js';
export * from './values.js';
