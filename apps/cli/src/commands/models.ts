/** Backend types and models. */
import type { Command } from 'commander';
import type { BackendType, JsonObject, Model, SelectableVersion } from '#client';
import { jsonObject, names, version } from '../arguments.js';
import { inSession, leaf } from '../leaf.js';
import type { Column } from '../table.js';

const TYPE_COLUMNS: Column<BackendType>[] = [
  ['type', ({ type }) => type],
  ['label', ({ label }) => label],
  ['versions', ({ versions }) => versions.map(({ value }) => value).join(' ')],
];

const MODEL_COLUMNS: Column<Model>[] = [
  ['model', ({ model }) => model],
  ['backend type', ({ backendType }) => backendType],
  ['local model', ({ localModel }) => localModel],
  ['cardinality', ({ cardinality }) => cardinality],
  ['indexes', ({ indexes }) => indexes.join(' ')],
];

/** With these a ledger begins. */
const BEGINS = { begins: true };

interface TypeOptions {
  label?: string;
  version?: SelectableVersion[];
  settingsSchema?: JsonObject;
}

interface ModelOptions {
  type: string;
  localModel?: string;
  cardinality?: 'one' | 'many';
  index?: string[];
  dataSchema?: JsonObject;
}

export function addModelCommands(program: Command): void {
  addTypes(program.command('types').description('kinds of external systems').enablePositionalOptions());
  addModels(program.command('models').description('which records are bound to what').enablePositionalOptions());
}

function addTypes(types: Command): void {
  leaf(types, 'list', 'list the types').action(
    inSession(async ({ client, output }) => {
      await output.rows(await client.backendTypes.list(), TYPE_COLUMNS);
    }),
  );
  leaf(types, 'show <type>', 'show a type').action(
    inSession(async ({ client, output }, [name = '']) => {
      const type = await client.backendTypes.get(name);
      await output.answer(type, membersOfType(type));
    }),
  );
  leaf(types, 'put <type>', 'define a type; what is not given again is taken away')
    .option('--label <label>', 'what people call it')
    .option('--version <value=label>', 'a version that backends can have; may be repeated', version)
    .option('--settings-schema <json|@file>', "JSON Schema of a backend's settings", jsonObject)
    .action(
      inSession<TypeOptions>(async ({ client, output }, [type = ''], { label, version: versions, settingsSchema }) => {
        const put = await client.backendTypes.put(type, { label, versions, settingsSchema });
        await output.answer(put, membersOfType(put));
      }, BEGINS),
    );
}

function membersOfType({ type, label, versions, settingsSchema }: BackendType): Record<string, unknown> {
  return {
    type,
    label,
    versions: versions.map(({ value, label: of }) => (of === value ? value : `${value} (${of})`)).join(', '),
    'settings schema': settingsSchema ?? undefined,
  };
}

function addModels(models: Command): void {
  leaf(models, 'list', 'list the models').action(
    inSession(async ({ client, output }) => {
      await output.rows(await client.models.list(), MODEL_COLUMNS);
    }),
  );
  leaf(models, 'show <model>', 'show a model').action(
    inSession(async ({ client, output }, [name = '']) => {
      const model = await client.models.get(name);
      await output.answer(model, membersOf(model));
    }),
  );
  leaf(models, 'put <model>', 'define a model; what is not given again is taken away')
    .requiredOption('--type <type>', 'the type of its backends')
    .option('--local-model <name>', 'the model of the local records')
    .option('--cardinality <one|many>', 'bindings that a record may have on one backend')
    .option('--index <fields>', 'members of the data to filter on, separated by commas', names)
    .option('--data-schema <json|@file>', "JSON Schema of a binding's data", jsonObject)
    .action(
      inSession<ModelOptions>(
        async ({ client, output }, [name = ''], { type, localModel = null, cardinality, index, dataSchema }) => {
          const request = { backendType: type, localModel, cardinality, indexes: index, dataSchema };
          const model = await client.models.put(name, request);
          await output.answer(model, membersOf(model));
        },
        BEGINS,
      ),
    );
}

function membersOf(model: Model): Record<string, unknown> {
  return {
    model: model.model,
    'backend type': model.backendType,
    'local model': model.localModel,
    cardinality: model.cardinality,
    indexes: model.indexes.join(' '),
    'data schema': model.dataSchema ?? undefined,
  };
}
