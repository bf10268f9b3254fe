/** `${NAME}` in a text of the agents folder. */
const reference = /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

export type Variable = (name: string) => string | undefined;

/** The text with its variables filled in. Throws an Error that names the one that is missing, or is ours. */
export function fillIn(text: string, variable: Variable): string {
  return text.replace(reference, (_, name: string) => {
    if (name.startsWith('NETRA_')) throw new Error(`\${${name}} belongs to the server itself and is not passed on`);
    const value = variable(name);
    if (value === undefined || value === '') throw new Error(`the environment has no variable ${name}`);
    return value;
  });
}

export function fillInAll(texts: Readonly<Record<string, string>>, variable: Variable): Record<string, string> {
  return Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, fillIn(text, variable)]));
}
