import {
  decideBackendType,
  isRefusal,
  refuse,
  type BackendType,
  type BindingModel,
  type BindingModelState,
  type DefineBackendType,
  type DefineBindingModel,
  type Refusal,
  type RequestContext,
  type SchemaValidator,
} from '#domain';
import type { Backends } from './backends.js';
import type { BackendTypeState, Catalog } from './catalog.js';
import { keyed, type ChangeOptions } from './control-keys.js';
import type { ModelChanges } from './model-change.js';

interface Recorded {
  revision: number;
  createdAt: string;
  updatedAt: string;
}
export type BackendTypeView = BackendType & Recorded;
export type BindingModelView = BindingModel & Recorded;

export interface BackendTypeAnswer {
  outcome: 'created' | 'changed' | 'unchanged';
  type: BackendTypeView;
}
export interface BindingModelAnswer {
  outcome: 'created' | 'changed' | 'unchanged';
  model: BindingModelView;
}

export interface CatalogServiceParts {
  catalog: Catalog;
  backends: Backends;
  models: ModelChanges;
  validator: SchemaValidator;
}

/** At most this many definitions in one page. */
export const MAX_PAGE_DEFINITIONS = 1_000;

/** Backend types and models. A definition that is put again as it is changes nothing; one that was interrupted goes on. */
export class CatalogService {
  constructor(private readonly parts: CatalogServiceParts) {}

  async defineType(
    command: DefineBackendType,
    context: RequestContext,
    options: ChangeOptions = {},
  ): Promise<BackendTypeAnswer | Refusal> {
    const { catalog, validator } = this.parts;
    let existed = false;
    const changed = await catalog.types.change(
      async (types) => {
        const current = types.get(command.type)?.definition;
        existed = current !== undefined;
        return decideBackendType(current, command, {
          validator,
          usedVersions: existed ? await this.usedVersions(command.type) : [],
        });
      },
      context,
      keyed(options, 'defineType', command),
    );
    if (isRefusal(changed)) return changed;
    if (changed.repeats !== undefined) {
      const { before, state } = await catalog.types.momentOf(changed.repeats);
      const type = viewType(state.get(command.type) as BackendTypeState);
      return { outcome: before.has(command.type) ? 'changed' : 'created', type };
    }
    const outcome = changed.appended.length === 0 ? 'unchanged' : existed ? 'changed' : 'created';
    return { outcome, type: viewType(changed.state.get(command.type) as BackendTypeState) };
  }

  async defineModel(
    command: DefineBindingModel,
    context: RequestContext,
    options?: ChangeOptions,
  ): Promise<BindingModelAnswer | Refusal> {
    const answer = await this.parts.models.define(command, context, options);
    return isRefusal(answer) ? answer : { outcome: answer.outcome, model: viewModel(answer.model) };
  }

  async type(name: string): Promise<BackendTypeView | Refusal> {
    const state = (await this.parts.catalog.types.current()).state.get(name);
    return state === undefined
      ? refuse('BACKEND_TYPE_NOT_FOUND', `there is no backend type ${JSON.stringify(name)}`)
      : viewType(state);
  }

  async model(name: string): Promise<BindingModelView | Refusal> {
    const state = await this.parts.catalog.model(name);
    return state === undefined ? refuse('MODEL_NOT_FOUND', `there is no model ${JSON.stringify(name)}`) : viewModel(state);
  }

  /** By name, after the given one. */
  async types(after?: string, limit = MAX_PAGE_DEFINITIONS): Promise<BackendTypeView[]> {
    await this.parts.backends.catchUp();
    const states = await this.parts.backends.documents<BackendTypeState>('type', after, Math.min(limit, MAX_PAGE_DEFINITIONS));
    return states.map(viewType);
  }

  async models(after?: string, limit = MAX_PAGE_DEFINITIONS): Promise<BindingModelView[]> {
    await this.parts.backends.catchUp();
    const states = await this.parts.backends.documents<BindingModelState>('model', after, Math.min(limit, MAX_PAGE_DEFINITIONS));
    return states.map(viewModel);
  }

  private async usedVersions(type: string): Promise<string[]> {
    const used = new Set<string>();
    for await (const backend of this.parts.backends.all()) {
      if (backend.type === type && backend.retirement !== 'retired' && backend.version !== null) used.add(backend.version);
    }
    return [...used];
  }
}

function viewType({ definition, revision, createdAt, updatedAt }: BackendTypeState): BackendTypeView {
  return { ...definition, revision, createdAt, updatedAt };
}

function viewModel({ definition, revision, createdAt, updatedAt }: BindingModelState): BindingModelView {
  return { ...definition, revision, createdAt, updatedAt };
}
