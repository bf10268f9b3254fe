/**
 * The door for programs that are no tests (bench): real processes of the server and of its stores. It loads no test
 * framework, which `index.ts` does.
 */
export { startChild } from './child.ts';
export { openEmbeddedStores } from './embedded-stores.ts';
export { startServer } from './server.ts';
