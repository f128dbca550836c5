/** What the shop may sell to a country, and until which event of its binding that is known. */
export interface Allotment {
  countryCode: string | null;
  open: boolean;
  version: number;
}

/** A warehouse does not take part: nothing can be allotted in it until it does again. */
export class WarehouseClosed extends Error {
  override readonly name = 'WarehouseClosed';
}

/** The stock service's own database, which outlives its process. */
export class Stock {
  readonly closedWarehouses = new Set<string>();
  /** By the ledger's binding: its id never changes, whatever the country is called in the shop. */
  private readonly allotments = new Map<string, Allotment>();
  /** How often it was written to. */
  writes = 0;

  of(bindingId: string): Allotment | undefined {
    return this.allotments.get(bindingId);
  }

  /** One transaction: the allotment, and how far it is. @throws {WarehouseClosed} */
  put(bindingId: string, warehouse: string, allotment: Allotment): void {
    if (this.closedWarehouses.has(warehouse)) throw new WarehouseClosed(`the warehouse for ${warehouse} is closed`);
    this.allotments.set(bindingId, allotment);
    this.writes += 1;
  }

  openCountries(): string[] {
    const open = [...this.allotments.values()].filter((allotment) => allotment.open);
    return open.map(({ countryCode }) => countryCode ?? '').toSorted();
  }
}
