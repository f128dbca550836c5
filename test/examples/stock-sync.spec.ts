import { expect, test } from 'vitest';
import { openLedger } from '#runtime';
import { main } from '../../examples/stock-sync/main.js';
import { temporaryFolder } from '../support/temporary-folders.js';
