/** A JSON value as YAML 1.2 in block style. Strings that YAML could read as something else are quoted as in JSON. */
export function toYaml(value: unknown, indent = ''): string {
  if (Array.isArray(value)) {
    if (value.length === 0) return ' []\n';
    return `\n${value.map((item) => `${indent}-${inline(item, `${indent}  `)}`).join('')}`;
  }
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value);
    if (members.length === 0) return ' {}\n';
    return `\n${members.map(([key, member]) => `${indent}${scalar(key)}:${toYaml(member, `${indent}  `)}`).join('')}`;
  }
  return ` ${scalar(value)}\n`;
}

/** An item of a list starts on the line of its dash. */
function inline(item: unknown, indent: string): string {
  const text = toYaml(item, indent);
  return text.startsWith('\n') ? ` ${text.slice(1 + indent.length)}` : text;
}

function scalar(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value);
  const plain = /^[A-Za-z][\w /-]*[\w]$|^[A-Za-z]$/.test(value);
  return plain && !/^(true|false|null|yes|no|on|off|y|n)$/i.test(value) ? value : JSON.stringify(value);
}
