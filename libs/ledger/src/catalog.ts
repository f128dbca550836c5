import {
  evolveBindingModel,
  type BackendType,
  type BackendTypeEvent,
  type BindingModelEvent,
  type BindingModelState,
} from '#domain';
import { ControlStream, unread, type ControlTools, type RecordedControl } from './control-log.js';
import type { StreamNames } from './streams.js';

export interface BackendTypeState {
  definition: BackendType;
  /** Of its newest event in `catalog-types`. */
  revision: number;
  createdAt: string;
  updatedAt: string;
}

export type BackendTypes = ReadonlyMap<string, BackendTypeState>;
export type BindingModels = ReadonlyMap<string, BindingModelState>;

const MODEL_EVENT_TYPES: ReadonlySet<string> = new Set<BindingModelEvent['type']>([
  'ModelDefined',
  'ModelChanging',
  'ModelChanged',
  'ModelChangeRolledBack',
]);

/** Backend types and models, folded from their two streams. */
export class Catalog {
  readonly types: ControlStream<BackendTypes, BackendTypeEvent>;
  readonly models: ControlStream<BindingModels, BindingModelEvent>;

  constructor(tools: ControlTools, streams: StreamNames) {
    this.types = new ControlStream(streams.types(), tools, {
      initial: unread<BackendTypes>(new Map()),
      empty: new Map(),
      known: ({ type }) => type === 'BackendTypeDefined',
      fold: foldTypes,
    });
    this.models = new ControlStream(streams.models(), tools, {
      initial: unread<BindingModels>(new Map()),
      empty: new Map(),
      known: ({ type }) => MODEL_EVENT_TYPES.has(type),
      fold: foldModels,
    });
  }

  async type(name: string): Promise<BackendType | undefined> {
    return (await this.types.current()).state.get(name)?.definition;
  }

  async model(name: string): Promise<BindingModelState | undefined> {
    return (await this.models.current()).state.get(name);
  }
}

function foldTypes(types: BackendTypes, events: readonly RecordedControl<BackendTypeEvent>[]): BackendTypes {
  const next = new Map(types);
  for (const { data, revision, metadata } of events) {
    const createdAt = next.get(data.type)?.createdAt ?? metadata.at;
    next.set(data.type, { definition: data, revision, createdAt, updatedAt: metadata.at });
  }
  return next;
}

function foldModels(models: BindingModels, events: readonly RecordedControl<BindingModelEvent>[]): BindingModels {
  const next = new Map(models);
  for (const event of events)
    next.set(
      event.data.model,
      evolveBindingModel(next.get(event.data.model), event, { revision: event.revision, at: event.metadata.at }),
    );
  return next;
}
