const storeVariables = ['NETRA_TEST_POSTGRES_URL', 'NETRA_TEST_CLICKHOUSE_URL', 'NETRA_TEST_REDIS_URL'] as const;

/**
 * The environment of a test run: by default without any store, so that the testkit starts its own; with real services
 * all three must be named. Throws an Error that names each missing variable.
 */
export function testEnvironment(
  environment: NodeJS.ProcessEnv,
  options: { readonly real_services: boolean },
): NodeJS.ProcessEnv {
  const env = { ...environment };
  if (!options.real_services) {
    for (const name of storeVariables) delete env[name];
    return env;
  }
  const missing = storeVariables.filter((name) => (env[name] ?? '') === '');
  if (missing.length > 0) {
    throw new Error(
      `--real-services needs servers of your own, and these are not named: ${missing.join(', ')}\n` +
        'The PostgreSQL role must be allowed to create databases and roles.',
    );
  }
  return env;
}
