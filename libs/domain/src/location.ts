export const MAX_LOCATION_LENGTH = 2_048;

/** What browsers run rather than open. */
const SCRIPTS: ReadonlySet<string> = new Set(['javascript:', 'data:', 'vbscript:', 'blob:', 'about:', 'view-source:']);

/**
 * Why a text is not the location of a backend: an absolute URL with a host (files have none), of any scheme but those that
 * are scripts, and without `user:password@`: credentials have a place of their own, where no event and no listing shows them.
 */
export function problemOfLocation(location: string): string | undefined {
  if (location.length > MAX_LOCATION_LENGTH) return `a location has at most ${MAX_LOCATION_LENGTH} characters`;
  // The parser forgives blanks, backslashes and missing slashes; what is stored would then mean something else elsewhere.
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^\s\\\p{Cc}\p{Cs}]*$/iu.test(location))
    return 'a location is an absolute URL, such as https://shop.example.com/api';
  const url = parsed(location);
  if (url === undefined) return 'a location is an absolute URL, such as https://shop.example.com/api';
  if (SCRIPTS.has(url.protocol)) return `a location cannot be a ${url.protocol} URL`;
  if (url.username !== '' || url.password !== '' || authorityOf(location).includes('@')) {
    return 'a location has no user and no password in it: give username and password beside it';
  }
  if (url.protocol === 'file:') return url.pathname.length > 1 ? undefined : 'a file location names a file or a folder';
  return url.hostname === '' || /^[^:]*:\/\/\//.test(location) ? 'a location names a host' : undefined;
}

function parsed(location: string): URL | undefined {
  try {
    return new URL(location);
  } catch {
    return undefined;
  }
}

function authorityOf(location: string): string {
  return /^[^:]*:\/*([^/?#]*)/.exec(location)?.[1] ?? '';
}
