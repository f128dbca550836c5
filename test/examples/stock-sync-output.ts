/** What the example prints of its two days. */
export const STOCK_SYNC_OUTPUT = [
  'Monday: 4 products in the shop',
  '  BindingCreated: MUG-RED on shop-1 is shop.product of record 101',
  '  BindingCreated: MUG-BLUE on shop-1 is shop.product of record 102',
  '  BindingCreated: 0 on shop-1 is shop.product of record 103',
  '  BindingCreated: TEAPOT/1L on shop-1 is shop.product of record 104',
  'Monday: 4 created, 0 synchronized, 0 unchanged, 0 unbound',
  'Tuesday: 4 products in the shop',
  '  SyncDateUpdated: MUG-RED on shop-1 is shop.product of record 101',
  '  BindingCreated: TRAY on shop-1 is shop.product of record 105',
  '  BindingRemoved: MUG-BLUE on shop-1 is shop.product of record 102, missingInBackend',
  'Tuesday: 1 created, 1 synchronized, 2 unchanged, 1 unbound',
];
