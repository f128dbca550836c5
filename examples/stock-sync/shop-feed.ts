/** What a shop tells of its products: stands for its export file or API. */
export interface ShopProduct {
  sku: string;
  title: string;
  stock: number;
  /** When the shop last changed it. */
  updatedAt: string;
}

export const MONDAY: ShopProduct[] = [
  { sku: 'MUG-RED', title: 'Mug, red', stock: 12, updatedAt: '2025-06-02T06:00:00Z' },
  { sku: 'MUG-BLUE', title: 'Mug, blue', stock: 3, updatedAt: '2025-06-02T06:00:00Z' },
  { sku: '0', title: 'Gift card', stock: 999, updatedAt: '2025-05-01T00:00:00Z' },
  { sku: 'TEAPOT/1L', title: 'Teapot, 1 l', stock: 4, updatedAt: '2025-06-01T18:30:00+02:00' },
];

/** The blue mug is sold out and gone, the red one sells, a tray is new. */
export const TUESDAY: ShopProduct[] = [
  { sku: 'MUG-RED', title: 'Mug, red', stock: 9, updatedAt: '2025-06-03T06:00:00Z' },
  { sku: '0', title: 'Gift card', stock: 999, updatedAt: '2025-05-01T00:00:00Z' },
  { sku: 'TEAPOT/1L', title: 'Teapot, 1 l', stock: 4, updatedAt: '2025-06-01T18:30:00+02:00' },
  { sku: 'TRAY', title: 'Tray', stock: 20, updatedAt: '2025-06-03T05:45:00Z' },
];
