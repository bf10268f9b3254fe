import { parseArgs } from 'node:util';
import { openPlatform } from '../platform/index.ts';
import { examine, isHealthy } from './examine.ts';
import { commonOptions } from './options.ts';
import { findingsAsJson, findingsAsText } from './print-findings.ts';
import { withStores } from './with-stores.ts';

const options = { ...commonOptions, org: { type: 'string' }, json: { type: 'boolean' } } as const;

/**
 * `doctor [--org ID] [--json]`: checks the invariants on this installation, read-only, and explains what is broken.
 * Exit code 1 on a breach.
 */
export async function run(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...args], options });
  return withStores(values, 'warn', async (open) => {
    const platform = await openPlatform({ ...open, role: 'app' });
    try {
      const findings = await examine(platform, values.org);
      process.stdout.write(values.json === true ? findingsAsJson(findings) : findingsAsText(findings));
      return isHealthy(findings) ? 0 : 1;
    } finally {
      await platform.close();
    }
  });
}
