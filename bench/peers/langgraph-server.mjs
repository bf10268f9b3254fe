/** The peer for runs: `langgraph-server.mjs PORT`, its state in the working directory, as its own command keeps it. */
import { fileURLToPath } from 'node:url';
import { startServer } from '@langchain/langgraph-api/server';

const graph = fileURLToPath(import.meta.resolve('./two-steps.mjs'));
const { host } = await startServer({
  port: Number(process.argv[2]),
  host: '127.0.0.1',
  nWorkers: 200,
  cwd: process.cwd(),
  graphs: { two_steps: `${graph}:graph` },
});
process.stdout.write(`${JSON.stringify({ type: 'ready', url: `http://${host}` })}\n`);
