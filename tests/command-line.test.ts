import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, plainEnvironment, suite } from '@netra/testkit';
import { expect, it } from 'vitest';

const own = suite();
const cli = join(import.meta.dirname, '../cli/main.ts');

// Planted bug that turns it red: start the server as a child of the command line, which SIGKILL leaves behind.
it('`netra start` is the server itself: killing it leaves nothing that serves', async () => {
  const data = await mkdtemp(join(tmpdir(), 'netra-cli-'));
  own.onEnd(() => rm(data, { recursive: true, force: true }));
  const started = spawn(process.execPath, [cli, 'start', '--port', '0', '--data', data], {
    env: plainEnvironment(own.env),
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const gone = new Promise<void>((resolve) => started.once('exit', () => resolve()));
  own.onEnd(() => void started.kill('SIGKILL'));
  const line = await new Promise<string>((resolve) => createInterface({ input: started.stdout }).once('line', resolve));
  const { url } = JSON.parse(line) as { url: string };
  expect((await fetch(`${url}/livez`)).status).toBe(200);
  started.kill('SIGKILL');
  await gone;
  const serves = (): Promise<boolean> =>
    fetch(`${url}/livez`).then(
      () => true,
      () => false,
    );
  await eventually('the port is closed', async () => !(await serves()));
  expect(await serves()).toBe(false);
});
