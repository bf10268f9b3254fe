import { startServer, type Suite, type TestServer } from '@netra/testkit';

export type Nodes = readonly [TestServer, TestServer, TestServer];

/**
 * Three server processes on the suite's PostgreSQL and Redis. The first has room for two runs at once, so that most of
 * what it is asked for is worked on by the others. They end with the suite.
 */
export async function startNodes(own: Suite): Promise<Nodes> {
  const start = async (env: Readonly<Record<string, string>>): Promise<TestServer> => {
    const node = await startServer({ env: { ...own.env, ...env } });
    own.onEnd(() => node.stop());
    return node;
  };
  return Promise.all([start({ NETRA_CAPACITY: '2' }), start({}), start({})]);
}
