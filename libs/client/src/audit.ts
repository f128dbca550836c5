/** Verification and export of one ledger: long answers, read as they come. */
import { LedgerError } from './errors.js';
import type { CallOptions } from './options.js';
import type { Transport } from './transport.js';
import type { ExportLine, Verification, VerifyProgress, VerifyRequest } from './wire-audit.js';

export interface VerifyOptions extends CallOptions {
  /** Told now and then how far it is. */
  progress?: ((at: VerifyProgress) => void) | undefined;
}

export async function verifyLedger(
  transport: Transport,
  ledgerPath: string,
  request: VerifyRequest,
  { progress, ...options }: VerifyOptions,
): Promise<Verification> {
  const call = { method: 'POST' as const, path: `${ledgerPath}/verify`, body: request, options };
  for await (const line of transport.lines<VerifyProgress | Verification>(call)) {
    if ('ok' in line) return line;
    progress?.(line);
  }
  throw LedgerError.local('STREAM_CUT', 'the verification was broken off', { request: 'POST verify', retryable: true });
}

export async function* exportLedger(
  transport: Transport,
  ledgerPath: string,
  options: CallOptions,
): AsyncGenerator<ExportLine, void, undefined> {
  for await (const line of transport.lines<ExportLine>({ method: 'GET', path: `${ledgerPath}/export`, options })) {
    yield line;
    if ('digest' in line) return;
  }
  throw LedgerError.local('STREAM_CUT', 'the export ended before its digest', { request: 'GET export', retryable: true });
}
