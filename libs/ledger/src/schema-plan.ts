/** What a schema makes a validator do at a place, read once: what `SchemaCost` adds up for a document. */
import { isObject, targetOf, type JsonObject, type JsonValue } from '#domain';
import type { Pattern, Patterns } from './pattern.js';

/** Keywords whose subschemas look at the same place as the schema that they stand in. */
const IN_PLACE = ['not', 'if', 'then', 'else'];
const IN_PLACE_LISTS = ['allOf', 'anyOf', 'oneOf'];
const IN_PLACE_MAPS = ['dependentSchemas', 'dependencies'];

export interface Plan {
  /** Steps at every place, whatever stands there. */
  steps: number;
  inPlace: Plan[];
  /** Where `$ref` leads; found when it is needed, since it may lead back to here. */
  target?: (() => Plan) | undefined;
  /** Passes over the characters of a value, its members included: to compare it by value. */
  passes: number;
  /** The characters of a `const`: comparing goes no farther. */
  constant?: number;
  text: { pattern?: Pattern; passes: number };
  list: { prefix: Plan[]; each: Plan[] };
  object: ObjectPlan;
}

export interface ObjectPlan {
  /** Names that are asked for, each once per object. */
  names: number;
  properties: ReadonlyMap<string, Plan>;
  patterns: { pattern: Pattern; plan: Plan }[];
  additional?: Plan | undefined;
  /** Looks at the names of all members. */
  propertyNames?: Plan | undefined;
  /** Looks at all members that nothing else looked at. */
  unevaluated?: Plan | undefined;
}

export const STEPS_OF_KEYWORD = 5;

export class Planner {
  private readonly plans = new Map<JsonObject, Plan>();
  private readonly roots = new Map<JsonObject, JsonObject>();
  private readonly evaluated = new Map<Plan, number>();
  /** Ajv keeps account of what was looked at, and only a schema that asks for it should pay for that. */
  readonly tracks: boolean;

  constructor(
    private readonly schema: JsonObject,
    private readonly patterns: Patterns,
  ) {
    this.tracks = this.findRoots(schema, schema);
  }

  root(): Plan {
    return this.planOf(this.schema);
  }

  /** How many names the schemas that look at one place tell to have looked at. */
  evaluatedBy(plan: Plan): number {
    const known = this.evaluated.get(plan);
    if (known !== undefined) return known;
    // What leads back to itself tells nothing new.
    this.evaluated.set(plan, 0);
    const { inPlace, target, object } = plan;
    const names = [...inPlace, ...(target === undefined ? [] : [target()])].reduce(
      (sum, child) => sum + this.evaluatedBy(child),
      object.names,
    );
    this.evaluated.set(plan, names);
    return names;
  }

  /** How often such a name is handed on from one schema to the one around it: the code that Ajv makes of it grows so. */
  namesHandedOn(): number {
    let names = 0;
    // Following a reference may add to the plans that are gone through.
    for (const plan of this.plans.values())
      names += (plan.inPlace.length + (plan.target === undefined ? 0 : 1)) * this.evaluatedBy(plan);
    return names;
  }

  /** Schemas with an id are the root of what stands in them. Answers whether a keyword `unevaluated…` stands anywhere. */
  private findRoots(value: JsonValue, root: JsonObject): boolean {
    if (typeof value !== 'object' || value === null) return false;
    const base = isObject(value) && typeof value.$id === 'string' ? value : root;
    if (isObject(value)) this.roots.set(value, base);
    let tracks = 'unevaluatedProperties' in value || 'unevaluatedItems' in value;
    for (const child of Object.values(value)) if (this.findRoots(child, base)) tracks = true;
    return tracks;
  }

  private planOf(schema: JsonValue | undefined): Plan {
    if (!isObject(schema)) return NOTHING;
    const known = this.plans.get(schema);
    if (known !== undefined) return known;
    const { $ref, pattern, format, minLength, maxLength, uniqueItems } = schema;
    const plan: Plan = {
      steps: STEPS_OF_KEYWORD * (1 + Object.keys(schema).length),
      inPlace: this.inPlaceOf(schema),
      target: typeof $ref === 'string' ? this.targetOf(schema, $ref) : undefined,
      passes: (schema.enum === undefined ? 0 : 1) + (uniqueItems === true ? 2 : 0),
      ...(schema.const === undefined ? {} : { constant: JSON.stringify(schema.const).length }),
      text: {
        ...(typeof pattern === 'string' ? { pattern: this.patterns.of(pattern) } : {}),
        passes: [format, minLength, maxLength].filter((keyword) => keyword !== undefined).length,
      },
      list: {
        prefix: this.plansOf(schema.prefixItems),
        each: this.plansOf([schema.items, schema.contains, schema.unevaluatedItems].filter((child) => child !== undefined)),
      },
      object: this.objectOf(schema),
    };
    this.plans.set(schema, plan);
    return plan;
  }

  private objectOf(schema: JsonObject): ObjectPlan {
    const optional = (key: string) => (schema[key] === undefined ? undefined : this.planOf(schema[key]));
    const properties = entriesOf(schema.properties);
    const lists = [schema.required, ...[schema.dependentRequired, schema.dependencies].flatMap((value) => childrenOf(value))];
    return {
      names: lists.reduce<number>((sum, list) => sum + 1 + childrenOf(list).length, properties.length),
      properties: new Map(properties.map(([name, child]) => [name, this.planOf(child)])),
      patterns: entriesOf(schema.patternProperties).map(([pattern, child]) => ({
        pattern: this.patterns.of(pattern),
        plan: this.planOf(child),
      })),
      additional: optional('additionalProperties'),
      propertyNames: optional('propertyNames'),
      unevaluated: optional('unevaluatedProperties'),
    };
  }

  private inPlaceOf(schema: JsonObject): Plan[] {
    const children = IN_PLACE.filter((key) => schema[key] !== undefined).map((key) => this.planOf(schema[key]));
    return [...children, ...[...IN_PLACE_LISTS, ...IN_PLACE_MAPS].flatMap((key) => this.plansOf(schema[key]))];
  }

  private plansOf(children: JsonValue | undefined): Plan[] {
    return childrenOf(children).map((child) => this.planOf(child));
  }

  private targetOf(schema: JsonObject, reference: string): () => Plan {
    let plan: Plan | undefined;
    return () => (plan ??= this.planOf(targetOf(this.roots.get(schema) ?? this.schema, reference)));
  }
}

function entriesOf(value: JsonValue | undefined): [string, JsonValue][] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}

function childrenOf(value: JsonValue | undefined): JsonValue[] {
  return entriesOf(value).map(([, child]) => child);
}

/** Of `true`, `false`, and what is no schema. */
const NOTHING: Plan = {
  steps: STEPS_OF_KEYWORD,
  inPlace: [],
  passes: 0,
  text: { passes: 0 },
  list: { prefix: [], each: [] },
  object: { names: 0, properties: new Map(), patterns: [] },
};
