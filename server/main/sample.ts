import { parseArgs } from 'node:util';

/** `sample [--seed N] [--days N] [--calls N]`: a synthetic month of usage as CSV on stdout. */
