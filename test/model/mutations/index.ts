import { BACKENDS } from './backends.js';
import type { Mutation } from './mutation.js';
import { PROJECTING } from './projecting.js';
import { WRITING } from './writing.js';

export const MUTATIONS: readonly Mutation[] = [...WRITING, ...PROJECTING, ...BACKENDS];

export function nameOf({ section, rule, without }: Mutation): string {
  return `section ${section}: ${rule} – without it, ${without}`;
}
