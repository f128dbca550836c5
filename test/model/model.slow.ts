import { describe } from 'vitest';
import { testSeeds } from './suite.js';

const SEEDS = 2_000;

describe('the model, at length', () => {
  testSeeds(1, Number(process.env['MODEL_SEEDS'] ?? SEEDS));
});
