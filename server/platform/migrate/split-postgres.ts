const token =
  /--[^\n]*|\/\*[\s\S]*?\*\/|[eE]'(?:\\[\s\S]|''|[^'\\])*'|'(?:''|[^'])*'|"(?:""|[^"])*"|\$(\w*)\$[\s\S]*?\$\1\$|;|[A-Za-z_][\w$]*|[^;'"\w$/-]+|[\s\S]/g;

/**
 * Parts a PostgreSQL script at its semicolons, outside of quotes, comments and bodies: of functions in dollar quotes,
 * and in `begin atomic … end`. Each statement keeps the comments before it. Nested comments are not known.
 */
export function splitPostgres(script: string): readonly string[] {
  const statements: string[] = [];
  let [statement, meant] = ['', false];
  // How many `end`s a `begin atomic` still waits for: each `case` in it has one too.
  let [depth, word] = [0, ''];
  const close = (): void => {
    if (meant) statements.push(statement.trim());
    [statement, meant] = ['', false];
  };
  for (const [part] of script.matchAll(token)) {
    if (part === ';' && depth === 0) {
      close();
      continue;
    }
    statement += part;
    if (part.startsWith('--') || part.startsWith('/*') || part.trim() === '') continue;
    meant = true;
    const next = part.toLowerCase();
    if (next === 'atomic' && word === 'begin') depth = 1;
    else if (depth > 0 && next === 'case') depth += 1;
    else if (depth > 0 && next === 'end') depth -= 1;
    word = next;
  }
  close();
  return statements;
}
