/** Bindings as the events make them, in columns of numbers: of millions the garbage collector sees nothing. */
import { BINDING_STATES, REMOVAL_CAUSES, type BindingState, type RemovalCause } from '#domain';
import { NO_DATA } from './data-print.js';
import { Instants } from './instants.js';
import { Names } from './names.js';

const BLOCK_BITS = 10;
const BLOCK = 1 << BLOCK_BITS;
/** Whole numbers of a binding, and its instants, by their place among these. Behind where an id stands comes its length. */
const [VERSION, REVISION, RECORD_AT, EXTERNAL_AT, EXTERNAL_LENGTH, STATE, CAUSE, SEEN] = [0, 1, 2, 4, 5, 6, 7, 8];
const NUMBERS = 9;
const [SYNC_DATE, CREATED_AT, UPDATED_AT, UNBOUND_AT] = [0, 1, 2, 3];
const INSTANTS = 4;
const NO_ID = -1;
/** Where the first text of a list in JSON begins. */
const ID_FROM = 2;
const [synced, created, updated] = [new Instants(), new Instants(), new Instants()];

/** So many bindings together; most have neither data nor a reason. */
class Block {
  readonly numbers = new Int32Array(BLOCK * NUMBERS);
  readonly instants = new Float64Array(BLOCK * INSTANTS).fill(NaN);
  readonly prints: (string | undefined)[] = [];
  readonly reasons: (string | undefined)[] = [];
}

export class BindingTable {
  private readonly blocks: Block[] = [];
  readonly names = new Names();
  length = 0;

  at(place: number): FoldedBinding {
    return new FoldedBinding(place, this.blocks[place >>> BLOCK_BITS] as Block, this.names);
  }

  /** One more, without anything yet. */
  add(): FoldedBinding {
    if (this.length % BLOCK === 0) this.blocks.push(new Block());
    const binding = this.at(this.length);
    this.length += 1;
    return binding;
  }

  isRecordAt(place: number, recordId: string): boolean {
    return this.isAt(place, RECORD_AT, recordId);
  }

  isExternalIdAt(place: number, externalId: string): boolean {
    return this.isAt(place, EXTERNAL_AT, externalId);
  }

  private isAt(place: number, member: number, text: string): boolean {
    const { numbers } = this.blocks[place >>> BLOCK_BITS] as Block;
    const at = (place & (BLOCK - 1)) * NUMBERS + member;
    return this.names.isAt(numbers[at] as number, numbers[at + 1] as number, text);
  }
}

/** One of them. It is made when it is asked for, and reads and writes the columns. */
export class FoldedBinding {
  private readonly number: number;
  private readonly instant: number;

  constructor(
    readonly place: number,
    private readonly block: Block,
    private readonly names: Names,
  ) {
    this.number = (place & (BLOCK - 1)) * NUMBERS;
    this.instant = (place & (BLOCK - 1)) * INSTANTS;
  }

  get recordId(): string {
    return this.nameOf(RECORD_AT);
  }

  set recordId(recordId: string) {
    this.keepName(RECORD_AT, recordId);
  }

  isRecord(recordId: string): boolean {
    return this.isName(RECORD_AT, recordId);
  }

  get externalId(): string | null {
    return this.get(EXTERNAL_LENGTH) === NO_ID ? null : this.nameOf(EXTERNAL_AT);
  }

  set externalId(externalId: string | null) {
    if (externalId === null) this.set(EXTERNAL_LENGTH, NO_ID);
    else this.keepName(EXTERNAL_AT, externalId);
  }

  isExternalId(externalId: string | null): boolean {
    return externalId === null ? this.get(EXTERNAL_LENGTH) === NO_ID : this.isName(EXTERNAL_AT, externalId);
  }

  /** Behind `["record id","external id"`, or `["record id",null`, if that is how a piece of JSON begins, and nothing in it is escaped. */
  endOfIdsIn(json: string): number | undefined {
    const recordLength = this.get(RECORD_AT + 1);
    const externalLength = this.get(EXTERNAL_LENGTH);
    const end = ID_FROM + recordLength;
    if (!json.startsWith('["') || !this.names.isIn(json, ID_FROM, this.get(RECORD_AT), recordLength)) return undefined;
    if (externalLength === NO_ID) return json.startsWith('",null', end) ? end + 6 : undefined;
    if (!json.startsWith('","', end) || !this.names.isIn(json, end + 3, this.get(EXTERNAL_AT), externalLength)) return undefined;
    return json.startsWith('"', end + 3 + externalLength) ? end + 4 + externalLength : undefined;
  }

  get version(): number {
    return this.get(VERSION);
  }

  set version(version: number) {
    this.set(VERSION, version);
  }

  get revision(): number {
    return this.get(REVISION);
  }

  set revision(revision: number) {
    this.set(REVISION, revision);
  }

  get state(): BindingState {
    return BINDING_STATES[this.get(STATE)] as BindingState;
  }

  set state(state: BindingState) {
    this.set(STATE, BINDING_STATES.indexOf(state));
  }

  get cause(): RemovalCause | undefined {
    return REMOVAL_CAUSES[this.get(CAUSE) - 1];
  }

  set cause(cause: RemovalCause | undefined) {
    this.set(CAUSE, cause === undefined ? 0 : REMOVAL_CAUSES.indexOf(cause) + 1);
  }

  /** Its document in the read model was found and is the same. */
  get seen(): boolean {
    return this.get(SEEN) === 1;
  }

  set seen(seen: boolean) {
    this.set(SEEN, seen ? 1 : 0);
  }

  get syncDate(): string | null {
    return synced.textOf(this.instantAt(SYNC_DATE));
  }

  set syncDate(syncDate: string | null) {
    this.block.instants[this.instant + SYNC_DATE] = synced.numberOf(syncDate);
  }

  isSyncedBefore(syncDate: string): boolean {
    return !(this.instantAt(SYNC_DATE) >= synced.numberOf(syncDate));
  }

  get createdAt(): string {
    return created.textOf(this.instantAt(CREATED_AT)) as string;
  }

  set createdAt(at: string) {
    this.block.instants[this.instant + CREATED_AT] = created.numberOf(at);
  }

  get updatedAt(): string {
    return updated.textOf(this.instantAt(UPDATED_AT)) as string;
  }

  set updatedAt(at: string) {
    this.block.instants[this.instant + UPDATED_AT] = updated.numberOf(at);
  }

  get unboundAt(): string | undefined {
    return updated.textOf(this.instantAt(UNBOUND_AT)) ?? undefined;
  }

  set unboundAt(at: string) {
    this.block.instants[this.instant + UNBOUND_AT] = updated.numberOf(at);
  }

  /** `printOf` its data. */
  get data(): string {
    return this.block.prints[this.place & (BLOCK - 1)] ?? NO_DATA;
  }

  set data(print: string) {
    const { prints } = this.block;
    if (print === NO_DATA && prints.length === 0) return;
    while (prints.length <= (this.place & (BLOCK - 1))) prints.push(undefined);
    prints[this.place & (BLOCK - 1)] = print;
  }

  get reason(): string | undefined {
    return this.block.reasons[this.place & (BLOCK - 1)];
  }

  set reason(reason: string | undefined) {
    const { reasons } = this.block;
    if (reason === undefined) return;
    while (reasons.length <= (this.place & (BLOCK - 1))) reasons.push(undefined);
    reasons[this.place & (BLOCK - 1)] = reason;
  }

  private get(member: number): number {
    return this.block.numbers[this.number + member] as number;
  }

  private set(member: number, value: number): void {
    this.block.numbers[this.number + member] = value;
  }

  private instantAt(member: number): number {
    return this.block.instants[this.instant + member] as number;
  }

  private isName(member: number, text: string): boolean {
    return this.names.isAt(this.get(member), this.get(member + 1), text);
  }

  private nameOf(member: number): string {
    return this.names.read(this.get(member), this.get(member + 1));
  }

  /** In the place of the one before where there is room. */
  private keepName(member: number, text: string): void {
    if (text.length <= this.get(member + 1)) this.names.put(this.get(member), text);
    else this.set(member, this.names.add(text));
    this.set(member + 1, text.length);
  }
}
