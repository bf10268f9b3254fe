/**
 * Parts a ClickHouse script at its semicolons, outside of quotes and comments. (PostgreSQL takes a script whole, in
 * one transaction; ClickHouse has none, and takes one statement a request.)
 */
export function splitStatements(script: string): readonly string[] {
  const token = /--[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\.|''|[^'\\])*'|"(?:\\.|[^"\\])*"|`(?:\\.|[^`\\])*`|;|[^;'"`/-]+|[/-]/g;
  const statements: string[] = [];
  let statement = '';
  for (const [part] of script.matchAll(token)) {
    if (part === ';') {
      statements.push(statement.trim());
      statement = '';
    } else if (!part.startsWith('--') && !part.startsWith('/*')) statement += part;
  }
  return [...statements, statement.trim()].filter((text) => text !== '');
}

const repeatable = [
  /^create\s+(?:materialized\s+)?\w+\s+if\s+not\s+exists\b/i,
  /^create\s+or\s+replace\b/i,
  /^drop\s+\w+\s+if\s+exists\b/i,
  /^truncate\s+(?:table\s+)?if\s+exists\b/i,
  /^alter\s+table\s+(?:if\s+exists\s+)?\S+\s+add\s+(?:column|index|projection|constraint)\s+if\s+not\s+exists\b/i,
  /^alter\s+table\s+(?:if\s+exists\s+)?\S+\s+(?:drop|rename|clear|comment|modify|materialize)\s+(?:column|index|projection|constraint)\s+if\s+exists\b/i,
  /^alter\s+table\s+(?:if\s+exists\s+)?\S+\s+(?:modify|reset)\s+(?:setting|ttl|comment|order|query)\b/i,
  /^alter\s+table\s+(?:if\s+exists\s+)?\S+\s+delete\s+where\b/i,
];

/** Whether running it twice does what running it once does: a kill between a statement and its record repeats it. */
export function isRepeatable(statement: string): boolean {
  return repeatable.some((shape) => shape.test(statement));
}
