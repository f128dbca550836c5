/** Which of two media types a caller wants, by `Accept` (RFC 9110, 12.5.1). */

const JSON_TYPE = 'application/json';

interface Range {
  type: string;
  quality: number;
}

/**
 * Whether an answer is wanted as this type rather than as JSON. Where both are as welcome, the one that is asked for by its name is
 * meant: every other client sends something that takes anything.
 */
export function prefers(accept: string | undefined, type: string): boolean {
  if (accept === undefined) return false;
  const ranges = accept.split(',').map(rangeOf);
  const quality = qualityOf(ranges, type);
  const ofJson = qualityOf(ranges, JSON_TYPE);
  if (quality === 0 || quality < ofJson) return false;
  return quality > ofJson || ranges.some((range) => range.type === type);
}

/** The most specific range that takes the type says how welcome it is. */
function qualityOf(ranges: readonly Range[], type: string): number {
  const [group] = type.split('/', 1);
  for (const wanted of [type, `${group}/*`, '*/*']) {
    const qualities = ranges.filter((range) => range.type === wanted).map(({ quality }) => quality);
    if (qualities.length > 0) return Math.max(...qualities);
  }
  return 0;
}

/** Parameters of the type itself are passed over. A quality that is none is taken for none given. */
function rangeOf(text: string): Range {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const given = parameters
    .map((parameter) => /^q\s*=\s*(\d(?:\.\d*)?)$/.exec(parameter)?.[1])
    .find((found) => found !== undefined);
  return { type, quality: given === undefined ? 1 : Math.min(1, Number(given)) };
}
