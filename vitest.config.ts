import { configDefaults, defineConfig } from 'vitest/config';

/**
 * Quick suites end in .spec.ts; those that take long (kill -9, all seeds of the model, its mutations) in .slow.ts. Those that need
 * a server beside them end in its name: scripts/test-mongodb.mjs and scripts/test-eventstore.mjs start one, and run the
 * end-to-end suites on it as well.
 */
const SUITES: Record<string, string[]> = {
  quick: ['libs/**/*.spec.ts', 'apps/**/*.spec.ts', 'test/**/*.spec.ts'],
  slow: ['test/**/*.slow.ts'],
  mongodb: ['libs/**/*.mongodb.ts', 'test/**/*.mongodb.ts', 'test/e2e/http/*.spec.ts'],
  eventstore: [
    'libs/event-store/eventstoredb/*.spec.ts',
    'libs/**/*.eventstore.ts',
    'test/**/*.eventstore.ts',
    'test/e2e/http/*.spec.ts',
  ],
};
const suite = process.env['SUITE'] ?? 'quick';
const include = SUITES[suite];
/** What kills its server needs one that may be killed. */
const exclude = process.env['MONGODB_TEST_SERVER'] === undefined ? ['**/*.killing.mongodb.ts'] : [];
if (include === undefined) throw new Error(`SUITE is one of ${Object.keys(SUITES).join(', ')}, not ${suite}`);
/** Servers share the machine with everything else: what is quick when it is idle takes its time when it is not. */
const TIMEOUTS_MS: Record<string, number> = { slow: 900_000, mongodb: 300_000, eventstore: 300_000 };

export default defineConfig({
  ssr: { resolve: { conditions: ['source'] } },
  resolve: { conditions: ['source'] },
  test: {
    include,
    exclude: [...configDefaults.exclude, ...exclude],
    testTimeout: TIMEOUTS_MS[suite] ?? 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    passWithNoTests: false,
  },
});
