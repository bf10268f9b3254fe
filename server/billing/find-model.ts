import type { MatchLogic, Provider } from '@pydantic/genai-prices';

/** Names seen are remembered, since an import asks for the same few a million times; a bound against made-up ones. */
const maxNames = 10_000;

/** Finds the book's `provider/model` for the names that logs carry: dated, aliased, or prefixed with the provider. */
export function modelFinder(providers: readonly Provider[]): (name: string) => string | null {
  const known = new Map<string, string | null>();
  return (name) => {
    const seen = known.get(name);
    if (seen !== undefined) return seen;
    if (known.size >= maxNames) known.clear();
    const found = findModel(providers, name.trim().toLowerCase());
    known.set(name, found);
    return found;
  };
}

function findModel(providers: readonly Provider[], name: string): string | null {
  const slash = name.indexOf('/');
  const prefix = slash > 0 ? name.slice(0, slash) : '';
  const named = providers.find(
    ({ id, provider_match }) => prefix !== '' && (id === prefix || (provider_match && matches(provider_match, prefix))),
  );
  if (named !== undefined) return modelOf(providers, named, name.slice(slash + 1)) ?? modelOf(providers, named, name);
  const maker = providers.find(({ model_match }) => model_match !== undefined && matches(model_match, name));
  return maker === undefined ? null : modelOf(providers, maker, name);
}

function modelOf(providers: readonly Provider[], provider: Provider, name: string): string | null {
  const model = provider.models.find(({ id, match }) => id === name || matches(match, name));
  if (model !== undefined) return `${provider.id}/${model.id}`;
  for (const id of provider.fallback_model_providers ?? []) {
    const fallback = providers.find((other) => other.id === id);
    const found = fallback?.models.find((other) => other.id === name || matches(other.match, name));
    if (found !== undefined) return `${id}/${found.id}`;
  }
  return null;
}

function matches(rule: MatchLogic, name: string): boolean {
  if ('or' in rule) return rule.or.some((part) => matches(part, name));
  if ('and' in rule) return rule.and.every((part) => matches(part, name));
  if ('equals' in rule) return name === rule.equals.toLowerCase();
  if ('starts_with' in rule) return name.startsWith(rule.starts_with.toLowerCase());
  if ('ends_with' in rule) return name.endsWith(rule.ends_with.toLowerCase());
  if ('contains' in rule) return name.includes(rule.contains.toLowerCase());
  return new RegExp(rule.regex).test(name);
}
