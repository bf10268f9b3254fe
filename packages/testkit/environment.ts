/** The environment without any NETRA_* of the developer's own: a test says itself what it configures. */
export function plainEnvironment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('NETRA_') && name !== 'NODE_OPTIONS');
  return { ...Object.fromEntries(kept), ...extra };
}
