/** Query strings, strictly: a parameter that comes twice, or is not percent-encoded UTF-8, is left for its schema to refuse. */
export function parseQueryString(text: string): Record<string, unknown> {
  const query: Record<string, unknown> = Object.create(null);
  if (text === '') return query;
  for (const part of text.split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const name = decode(equals < 0 ? part : part.slice(0, equals)) ?? part;
    const value = equals < 0 ? '' : decode(part.slice(equals + 1));
    // No schema admits a list or `null`, so each refuses the parameter by its name.
    query[name] = name in query ? [query[name], value] : (value ?? null);
  }
  return query;
}

function decode(text: string): string | undefined {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text;
  if (!spaced.includes('%')) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return undefined;
  }
}
