import { defineConfig } from 'vitest/config';

// Quick suites end in .spec.ts; those that take long (kill -9, all seeds of the model, its mutations) in .slow.ts.
const slow = process.env['SUITE'] === 'slow';

export default defineConfig({
  ssr: { resolve: { conditions: ['source'] } },
  resolve: { conditions: ['source'] },
  test: {
    include: slow ? ['test/**/*.slow.ts'] : ['libs/**/*.spec.ts', 'apps/**/*.spec.ts', 'test/**/*.spec.ts'],
    testTimeout: slow ? 900_000 : 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    passWithNoTests: false,
  },
});
