import { Injectable } from '@nestjs/common';

export interface LocalProduct {
  id: string;
  name: string;
}

/** The company's own products: stands for a table of its database. */
@Injectable()
export class LocalProducts {
  private readonly products = new Map<string, LocalProduct>();
  private lastId = 100;

  create(name: string): LocalProduct {
    this.lastId += 1;
    const product = { id: String(this.lastId), name };
    this.products.set(product.id, product);
    return product;
  }

  delete(id: string): void {
    this.products.delete(id);
  }

  all(): LocalProduct[] {
    return [...this.products.values()];
  }
}
