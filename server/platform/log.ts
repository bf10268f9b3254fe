import { destination, pino, type Logger } from 'pino';

/** Structured lines on stderr: stdout belongs to the commands' answers (`ready`, NDJSON). */
export type Log = Logger;

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

// What a key is called tells what it holds, wherever up to three levels down it stands.
const secretKeys = ['password', 'secret', 'token', 'access_token', 'authorization', 'cookie', 'api_key', 'dsn'];
const secretPaths = secretKeys.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]);

// The second net, over the whole line: credentials in a URL, bearer tokens, JWTs and our own keys in free text.
const secretShapes: readonly (readonly [RegExp, string])[] = [
  [/([a-z][a-z0-9+.-]*:\/\/)[^\s/"'@]+@/gi, '$1[redacted]@'],
  [/\bBearer\s+[\w.~+/=-]+/gi, 'Bearer [redacted]'],
  [/\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}/g, '[redacted]'],
  // What signs webhooks (Standard Webhooks).
  [/\bwhsec_[\w+/=-]{8,}/g, '[redacted]'],
  [/\bnetra_[a-z]*_?[A-Za-z0-9]{24,}/g, '[redacted]'],
];

/** Takes out what looks like a credential. */
export function redact(text: string): string {
  return secretShapes.reduce((line, [shape, replacement]) => line.replace(shape, replacement), text);
}

export interface LogOptions {
  readonly level: LogLevel;
  /** Where lines go; stderr unless a test wants to read them. */
  readonly stream?: { write(line: string): void };
}

export function openLog({ level, stream }: LogOptions): Log {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: secretPaths, censor: '[redacted]' },
    hooks: { streamWrite: redact },
  };
  return pino(options, stream ?? destination({ fd: 2, sync: true }));
}
