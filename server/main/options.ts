import { loadConfig, type LoadedConfig } from '../platform/index.ts';

/** Flags that stand for a key of the configuration: what is said on the command line wins over the environment. */
export interface CommonFlags {
  readonly data?: string | undefined;
  readonly port?: string | undefined;
  readonly agents?: string | undefined;
}

/** Options of `parseArgs` that every command takes. */
export const commonOptions = { data: { type: 'string' }, port: { type: 'string' } } as const;

/** The configuration with the flags in it. Throws `config_invalid` that names every bad key. */
export function configFrom(flags: CommonFlags): LoadedConfig {
  return loadConfig({
    flags: {
      ...(flags.data === undefined ? {} : { NETRA_DATA: flags.data }),
      ...(flags.port === undefined ? {} : { NETRA_PORT: flags.port }),
      ...(flags.agents === undefined ? {} : { NETRA_AGENTS_DIR: flags.agents }),
    },
  });
}
