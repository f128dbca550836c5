/**
 * How much work it is to check a document against a schema, told before it is done. Checks run between all other work of the
 * process, schemas and documents come from users, and the work is a product of both: it has a limit of its own.
 *
 * The count goes down the document as a validator would, but takes every branch and lets every pattern match, so it is never
 * less than the work. It depends on nothing but schema and document: the same ones are refused everywhere and always, as
 * decisions must be. A step is some 20 nanoseconds on a machine of 2024, where the validator does worst.
 */
import { isObject, type JsonObject, type JsonValue } from '#domain';
import type { Patterns } from './pattern.js';
import { Planner, STEPS_OF_KEYWORD, type ObjectPlan, type Plan } from './schema-plan.js';
import { TooCostly } from './too-costly.js';

/** For one document. */
export const MAX_STEPS = 8_000_000;
/** Schemas within schemas at one place, and those beneath them: what is admitted stays far below, what leads back to itself does not. */
const MAX_NESTING = 2_000;
const MAX_NAMES_HANDED_ON = 100_000;
/** To hand on that a name was looked at; to compare a name. */
const STEPS_OF_HANDING_ON = 3;
const STEPS_OF_NAME = 2;
/** To make the part of a path that is a member's name, not known from the schema: Ajv escapes it anew in every problem beneath. */
const STEPS_OF_PATH = 10;
const STEPS_OF_PATH_CHARACTER = 0.5;

export class SchemaCost {
  private readonly planner: Planner;
  private readonly root: Plan;

  constructor(schema: JsonObject, patterns: Patterns) {
    this.planner = new Planner(schema, patterns);
    this.root = this.planner.root();
    if (this.tracks && this.planner.namesHandedOn() > MAX_NAMES_HANDED_ON)
      throw new TooCostly('unevaluatedProperties or unevaluatedItems would have to account for too many names');
  }

  /** Whether the schema asks for what no other of its keywords looked at. */
  get tracks(): boolean {
    return this.planner.tracks;
  }

  /** At least the steps that a check of the document takes; throws when they are too many. */
  stepsFor(document: JsonObject): number {
    const meter = new Meter(this.planner);
    meter.visit(this.root, document, 0);
    return meter.steps;
  }
}

class Meter {
  steps = 0;
  private readonly lengths = new Map<object, number>();
  /** To make the path of the place that is visited. */
  private path = 0;

  constructor(private readonly planner: Planner) {}

  visit(plan: Plan, value: JsonValue, depth: number): void {
    this.spend(depth > MAX_NESTING ? Infinity : plan.steps + this.path);
    if (plan.passes > 0) this.spend(plan.passes * this.lengthOf(value));
    if (plan.constant !== undefined) this.spend(Math.min(plan.constant, this.lengthOf(value)));
    if (typeof value === 'string') this.visitText(plan, value);
    else if (Array.isArray(value)) this.visitItems(plan, value, depth + 1);
    else if (isObject(value)) this.visitMembers(plan, value, depth + 1);
    for (const child of plan.inPlace) this.visitInPlace(child, value, depth + 1);
    if (plan.target !== undefined) this.visitInPlace(plan.target(), value, depth + 1);
  }

  private visitInPlace(plan: Plan, value: JsonValue, depth: number): void {
    if (this.planner.tracks && isObject(value))
      this.spend(STEPS_OF_HANDING_ON * (this.planner.evaluatedBy(plan) + Object.keys(value).length));
    this.visit(plan, value, depth);
  }

  private visitText({ text }: Plan, value: string): void {
    this.spend((text.passes * value.length) / 2 + (text.pattern?.stepsOn(value) ?? 0));
  }

  private visitItems({ list }: Plan, items: readonly JsonValue[], depth: number): void {
    const { prefix, each } = list;
    for (const [index, plan] of prefix.entries()) {
      const item = items[index];
      if (item === undefined) break;
      this.visit(plan, item, depth);
    }
    for (const plan of each) for (const item of items) this.visit(plan, item, depth);
  }

  private visitMembers(plan: Plan, value: JsonObject, depth: number): void {
    const { object } = plan;
    const members = Object.entries(value);
    this.spend(members.length + (STEPS_OF_NAME + this.path) * object.names);
    for (const [name, member] of members) {
      const child = object.properties.get(name);
      if (child !== undefined) this.visit(child, member, depth);
      const { path } = this;
      this.path += STEPS_OF_PATH + name.length * STEPS_OF_PATH_CHARACTER;
      this.visitMember(object, name, member, depth);
      // Compared with one name after the other.
      if (object.unevaluated !== undefined) {
        this.spend(this.planner.evaluatedBy(plan) / 4);
        this.visit(object.unevaluated, member, depth);
      }
      this.path = path;
    }
  }

  private visitMember(object: ObjectPlan, name: string, member: JsonValue, depth: number): void {
    const { patterns, properties, additional, propertyNames } = object;
    for (const { pattern, plan } of patterns) {
      // Once more to see that it is no additional one.
      this.spend(STEPS_OF_KEYWORD + pattern.stepsOn(name) * (additional === undefined ? 1 : 2));
      this.visit(plan, member, depth);
    }
    if (additional !== undefined && !properties.has(name)) this.visit(additional, member, depth);
    if (propertyNames !== undefined) this.visit(propertyNames, name, depth);
  }

  /** Characters of the value as JSON, or about so many. */
  private lengthOf(value: JsonValue): number {
    if (typeof value === 'string') return value.length + 2;
    if (typeof value !== 'object' || value === null) return 8;
    const known = this.lengths.get(value);
    if (known !== undefined) return known;
    let length = 2;
    for (const [name, member] of Object.entries(value)) length += name.length + 4 + this.lengthOf(member);
    this.lengths.set(value, length);
    return length;
  }

  private spend(steps: number): void {
    this.steps += steps;
    if (this.steps > MAX_STEPS) throw new TooCostly('the document is too costly to check against the schema');
  }
}
