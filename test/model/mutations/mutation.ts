import type { Edit } from '../mutants.js';
import type { Theme } from '../plan.js';

/** A rule of the design, and the places in the program that keep it, so changed that it does not. */
export interface Mutation {
  /** Of DESIGN.md. */
  section: number;
  /** The design says of it: without the rule, the model went wrong. */
  marked?: true;
  rule: string;
  /** What the changed program does instead. */
  without: string;
  /** What the plans are about that are searched, where not all kinds can show it. */
  theme?: Theme;
  edits: Edit[];
}
