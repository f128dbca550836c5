import { test } from 'vitest';
import { main } from '../../examples/stock-sync/main.js';
test('try', async () => { await main(':memory:', (line) => console.log(line)); });
