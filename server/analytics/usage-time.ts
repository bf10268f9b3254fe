const shape = /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(Z|[+-]\d\d:?\d\d)?$/;
const unixTime = /^(\d{10})(\d{3})?(?:\.(\d{1,9}))?$/;
const longestFraction = '0000000';

const plainUtc = /^\d{4}-\d\d-\d\d[T ](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?Z?$/;
/** Logs are in order of time: whether a day exists is worked out once for all its calls. */
let knownDay = '';

/**
 * A point in time as `YYYY-MM-DD HH:MM:SS.fffffff` in UTC (100 ns: Azure's exports have them; finer digits are cut),
 * or undefined if the text is none. Reads ISO 8601 with `T` or a space (no zone = UTC) and Unix seconds or
 * milliseconds.
 */
export function parseTime(text: string): string | undefined {
  if (plainUtc.test(text) && text.startsWith(knownDay) && knownDay !== '') return plain(text);
  const iso = shape.exec(text);
  if (iso !== null) return fromIso(iso);
  const unix = unixTime.exec(text);
  if (unix === null) return undefined;
  const [, seconds = '0', millis, fraction = ''] = unix;
  return format(Number(seconds) * 1000, millis === undefined ? fraction : millis + fraction);
}

function plain(text: string): string {
  const end = text.endsWith('Z') ? text.length - 1 : text.length;
  const fraction = text.slice(20, Math.min(end, 27));
  return `${knownDay} ${text.slice(11, 19)}.${fraction.padEnd(7, '0')}`;
}

function fromIso(parts: RegExpExecArray): string | undefined {
  const [, year = '', month = '', day = '', hour = '', minute = '', second = '', fraction = '', zone] = parts;
  const ms = Date.UTC(+year, +month - 1, +day, +hour, +minute, +second);
  const date = new Date(ms);
  // Date.UTC rolls 30 February over to March: a day that does not exist is an error, not another day.
  const exists = date.getUTCDate() === +day && date.getUTCMonth() === +month - 1 && +hour < 24 && +minute < 60;
  if (!exists || +second > 59) return undefined;
  knownDay = `${year}-${month}-${day}`;
  if (zone !== undefined && zone !== 'Z') return format(ms - offsetMs(zone), fraction);
  return `${year}-${month}-${day} ${hour}:${minute}:${second}.${(fraction + longestFraction).slice(0, 7)}`;
}

function offsetMs(zone: string): number {
  const digits = zone.slice(1).replace(':', '');
  const ms = (Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2))) * 60_000;
  return zone.startsWith('-') ? -ms : ms;
}

function format(ms: number, fraction: string): string {
  const text = new Date(ms).toISOString();
  return `${text.slice(0, 10)} ${text.slice(11, 19)}.${(fraction + longestFraction).slice(0, 7)}`;
}
