/**
 * How old a copy that a node answers from may be at most, in ms, when no node tells it of a change: the one place for
 * these bounds. docs/nodes.md says the same for operators, and a test holds both together.
 */
export const cacheBounds_ms = {
  /** An API key, its role and whether it was revoked. */
  api_key: 5_000,
  /** The price list, with an operator's own prices. */
  prices: 5_000,
  /** The plan's requests an hour. */
  request_quota: 10_000,
  /** Public halves of the keys that sign tokens; ten minutes while PostgreSQL is away. */
  signing_keys: 60_000,
  /** What a probe says of the stores: two looks a second apart, and two waits of a second and a half. */
  health: 5_000,
} as const;
