export * from './values.js';
export * from './refusals.js';
export * from './ledger.js';
export * from './ledger-view.js';
export * from './decide.js';
export * from './recorded.js';
