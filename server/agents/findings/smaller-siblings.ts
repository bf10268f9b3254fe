/**
 * The next size down from the same maker, which does labels, choices and extraction as well for most. Names only: what
 * both cost is the price book's to say, and whether the smaller one is good enough is the experiment's.
 */
const siblings: readonly (readonly [model: string, smaller: string])[] = [
  ['gpt-4', 'gpt-4o-mini'],
  ['gpt-4-turbo', 'gpt-4o-mini'],
  ['gpt-4o', 'gpt-4o-mini'],
  ['gpt-4.1', 'gpt-4.1-mini'],
  ['gpt-4.1-mini', 'gpt-4.1-nano'],
  ['gpt-5', 'gpt-5-mini'],
  ['gpt-5-mini', 'gpt-5-nano'],
  ['o1', 'o3-mini'],
  ['o3', 'o4-mini'],
  ['claude-3-opus', 'claude-3-5-haiku'],
  ['claude-3-5-sonnet', 'claude-3-5-haiku'],
  ['claude-3-7-sonnet', 'claude-3-5-haiku'],
  ['claude-opus-4', 'claude-haiku-4-5'],
  ['claude-sonnet-4', 'claude-haiku-4-5'],
  ['claude-sonnet-4-5', 'claude-haiku-4-5'],
  ['gemini-1.5-pro', 'gemini-1.5-flash'],
  ['gemini-2.5-pro', 'gemini-2.5-flash'],
  ['gemini-2.5-flash', 'gemini-2.5-flash-lite'],
];

const bySize = new Map(siblings);

/** A dated name (`gpt-4o-2024-08-06`, `claude-sonnet-4-20250514`) is the model it begins with. */
export function smallerSibling(model: string): string | null {
  const name = model.replace(/^.*\//, '').replace(/-(\d{4}-\d{2}-\d{2}|\d{8}|latest)$/, '');
  return bySize.get(name) ?? null;
}
