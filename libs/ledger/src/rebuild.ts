import { ledgerKey, type LedgerName } from '#domain';
import type { EventStore } from '#event-store';
import type { LedgerDocument, RebuildableReadModel } from '#read-model';
import { readLedgerEvent } from './chain.js';
import { foldBatch } from './fold-batch.js';
import type { StreamNames } from './streams.js';

export interface RebuildTools {
  store: EventStore;
  readModel: RebuildableReadModel;
  streams: StreamNames;
  sleep(ms: number): Promise<void>;
  maxEvents: number;
  /** How long the former generation is kept after the switch: longer than any instance relies on what it knows of it. */
  graceMs: number;
  /** Looks at the new generation before it answers; throws when it must not. */
  compare?(ledger: LedgerName): Promise<void>;
  /** Told after each batch. */
  progress?(ledger: LedgerName, checkpoint: number): void;
}

/** How often a generation is brought to the stream's end before it must be possible to follow it. */
const MAX_CATCH_UPS = 100;
const CATCH_UP_WAIT_MS = 20;

type Progress = Pick<LedgerDocument, 'generation' | 'checkpoint' | 'state'>;

/**
 * Builds a ledger's documents anew from its stream, beside those that go on answering; then lets them answer instead. It can be
 * interrupted and run again at any point.
 */
export async function rebuildLedger(tools: RebuildTools, ledger: LedgerName): Promise<void> {
  await dropFormer(tools, ledger);
  await tools.readModel.beginGeneration(ledger);
  for (let attempt = 0; attempt < MAX_CATCH_UPS; attempt += 1) {
    const { building } = await tools.readModel.rebuildState(ledger);
    if (building === undefined) return;
    await catchUp(tools, ledger, building);
    if (await tools.readModel.followGeneration(ledger)) {
      await tools.compare?.(ledger);
      await tools.readModel.switchGeneration(ledger);
      return dropFormer(tools, ledger);
    }
    await tools.sleep(CATCH_UP_WAIT_MS);
  }
  throw new Error(`the projection of ${ledgerKey(ledger)} was always ahead of its rebuild`);
}

/** Drops the generation that was current before, after the time that it may still be asked. */
async function dropFormer({ readModel, sleep, graceMs }: RebuildTools, ledger: LedgerName): Promise<void> {
  const { former } = await readModel.rebuildState(ledger);
  if (former === null) return;
  await sleep(graceMs);
  await readModel.dropGeneration(ledger, former);
}

/** Applies the stream to the new generation up to its end, or until somebody else does. */
async function catchUp(tools: RebuildTools, ledger: LedgerName, from: Progress): Promise<void> {
  const stream = tools.streams.ledger(ledger);
  for (let progress = from; ;) {
    const page = await tools.store.readStream(stream, { after: progress.checkpoint, limit: tools.maxEvents });
    if (page.length === 0) return;
    const batch = foldBatch(ledger, progress, page.map(readLedgerEvent));
    if ((await tools.readModel.apply(batch)) === 'superseded') return;
    progress = { generation: progress.generation, checkpoint: batch.to, state: batch.state };
    tools.progress?.(ledger, batch.to);
  }
}
