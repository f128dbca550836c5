/** Ids that a careless store takes for each other, for numbers, or for something else than text. */
export const CONFUSABLE_IDS: string[] = [
  ['\u00c9', 'E\u0301', 'E', 'e', '\u00e9', 'a', 'A', 'a ', ' a', 'a\u00a0', 'a\u200b', '\ufeffa'],
  ['ß', 'ss', 'SS', 'ı', 'i', 'I', 'İ', 'Å', '\u212b', 'ﬁ', 'fi'],
  ['0', '-0', '00', '0.0', '1', '01', '1.0', '1e0', '+1', '١', '0x1', '9007199254740993', '9007199254740992', 'NaN', 'Infinity'],
  ['null', 'NULL', 'true', 'undefined', '{}', '[]', '""', "''", '"', "'", "1' OR '1'='1", '%', '_', '*', '?', '\\', '\\\\', '/'],
  ['a/b?c', 'a%2Fb', 'guestorder:145000008', '100000200-1', '$gt', '$where', '__proto__', 'constructor', '...', '-', '~', '#'],
  ['👩‍👩‍👧', '👩', '👩🏽', '\u{10ffff}', '\uffff', '\ufffd', '日本', 'مرحبا', '\u202ertl'],
  ['x'.repeat(512), `${'x'.repeat(511)}y`, '€'.repeat(170), `${'€'.repeat(169)}é`],
].flat();
