/** How much of something this node has under `key` now, and how much all nodes together may have; null = only tell. */
export interface Gauge {
  readonly key: string;
  readonly held: number;
  readonly max: number | null;
}

export interface GaugesOptions {
  readonly gauges: readonly Gauge[];
  /** This node. */
  readonly holder: string;
  /** What a node said counts so long: one that died holds nothing any more. */
  readonly ttl_ms: number;
}

export interface GaugesAnswer {
  /** Index of the first gauge that would be over its maximum: nothing was written. null = all were. */
  readonly full: number | null;
  /** What the other nodes hold of each. */
  readonly others: readonly number[];
}

// A hash a gauge, a field a node: `count:expiry`. Each node says what it holds, never by how much that has changed, so
// that a lost or repeated call mends itself. By the clock of Redis, which all nodes share.
export const gaugesScript = `
local now = redis.call('time')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local holder, ttl_ms = ARGV[1], tonumber(ARGV[2])
local answer = {0}
for i, key in ipairs(KEYS) do
  local held, max = tonumber(ARGV[1 + 2 * i]), tonumber(ARGV[2 + 2 * i])
  local others = 0
  local fields = redis.call('hgetall', key)
  for j = 1, #fields, 2 do
    local count, expiry = string.match(fields[j + 1], '^(%d+):(%d+)$')
    if tonumber(expiry) <= now_ms then redis.call('hdel', key, fields[j])
    elseif fields[j] ~= holder then others = others + tonumber(count) end
  end
  answer[i + 1] = others
  if answer[1] == 0 and max >= 0 and held + others > max then answer[1] = i end
end
if answer[1] > 0 then return answer end
for i, key in ipairs(KEYS) do
  local held = tonumber(ARGV[1 + 2 * i])
  if held == 0 then redis.call('hdel', key, holder)
  else
    redis.call('hset', key, holder, string.format('%d:%d', held, now_ms + ttl_ms))
    redis.call('pexpire', key, ttl_ms)
  end
end
return answer`;

export function gaugesArguments({ gauges, holder, ttl_ms }: GaugesOptions): readonly (string | number)[] {
  return [holder, ttl_ms, ...gauges.flatMap(({ held, max }) => [held, max ?? -1])];
}

/** What `gaugesScript` answered; throws on anything else. */
export function readGauges(answer: unknown): GaugesAnswer {
  if (!Array.isArray(answer) || !answer.every((each) => typeof each === 'number')) {
    throw new Error('redis: gauges answered something else');
  }
  const [full = 0, ...others] = answer as number[];
  return { full: full === 0 ? null : full - 1, others };
}
