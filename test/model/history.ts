import { isRefusal } from '#domain';
import { describe } from './checks/answers.js';
import type { Run } from './run.js';

/** What happened in a run, for whoever looks for the reason of its problems. */
export function historyOf({ plan, problems, attempts, sightings, events }: Run): string {
  const { steps, seed, schedule, ...options } = plan;
  const setUp = new Set(['catalog-types', 'catalog-models']);
  return [
    ...problems.map((problem) => `PROBLEM ${problem}`),
    `seed ${seed}, schedule ${schedule}, ${JSON.stringify(options)}`,
    ...steps.map((step) => `step ${JSON.stringify(step)}`),
    ...attempts.map((attempt) => {
      const results = attempt.results?.map((result) =>
        isRefusal(result) ? result.refused : `${result.outcome} @${result.revision}`,
      );
      return `asked ${describe(attempt)}, from ${attempt.calledHead} to ${attempt.answeredHead}: ${results?.join(', ') ?? 'no answer'}`;
    }),
    ...sightings.map(({ by, what, from, to, found, revision }) => {
      const seen = found.map(({ id, version, recordId, externalId }) => `${id} v${version} ${recordId}=${externalId}`);
      return `looked ${by} ${JSON.stringify(what)}, from ${from} to ${to}: [${seen.join(', ')}]${revision === undefined ? '' : ` @${revision}`}`;
    }),
    ...events
      .filter(({ stream, revision }) => !setUp.has(stream) || revision >= 4)
      .map(({ stream, revision, id, type, data, metadata }) => {
        const { at, correlationId } = metadata as { at: string; correlationId: string };
        return `event ${stream}@${revision} ${type} ${JSON.stringify(data)} ${id} at ${at} for ${correlationId}`;
      }),
  ].join('\n');
}
