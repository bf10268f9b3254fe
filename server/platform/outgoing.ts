/* oxlint-disable promise/no-callback-in-promise -- a look-up of node:net answers by callback */
import { lookup as lookUpHere, Resolver, type LookupAddress } from 'node:dns';
import * as http from 'node:http';
import * as https from 'node:https';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { Readable } from 'node:stream';
import { NetraError } from '@netra/contract';
import { RequestFilteringHttpAgent, RequestFilteringHttpsAgent } from 'request-filtering-agent';

/**
 * Requests to addresses that a tenant chose. What holds:
 * - only https to public addresses; each address that a name resolves to is checked where the connection is made, so a
 *   name that answers otherwise the second time gains nothing;
 * - no redirect is followed, no proxy of the environment is used, no connection is kept;
 * - everything ends at the deadline, and no more of the answer is read than was asked for.
 */
export interface Outgoing {
  /** Throws `invalid_request` unless a request to `url` could be allowed. Resolves no name. */
  check(url: string): void;
  send(request: OutgoingRequest): Promise<OutgoingAnswer>;
  /** For libraries that ask for a `fetch`: the same guard, the body as a stream. A redirect is an answer, not followed. */
  fetch(url: string | URL, init?: RequestInit, max_bytes?: number): Promise<Response>;
}

export interface OutgoingRequest {
  readonly url: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** From the name's resolution to the last byte that is read. */
  readonly timeout_ms: number;
  /** Of the answer's body; the rest is not read. */
  readonly max_bytes: number;
  readonly signal?: AbortSignal;
}

export interface OutgoingAnswer {
  readonly status: number;
  readonly body: string;
}

/** Why no answer came, in words that may be shown to whoever chose the address. */
export class OutgoingError extends Error {
  readonly refused: boolean;

  constructor(message: string, refused: boolean, options?: ErrorOptions) {
    super(message, options);
    this.name = 'OutgoingError';
    this.refused = refused;
  }
}

export interface OutgoingOptions {
  /** Allows http, 127.0.0.1 and ::1: for development and tests (config-rules.ts refuses it elsewhere). */
  readonly loopback: boolean;
  /** `host` or `host:port` that an operator vouches for: by http too, and at private addresses. Never for a tenant's URL. */
  readonly hosts?: readonly string[];
  /** Every address of a name. */
  readonly resolve?: (hostname: string) => Promise<readonly LookupAddress[]>;
}

// The agent lets IPv4-compatible (::/96) and site-local (fec0::/10) addresses pass: only this is the public internet.
const globalUnicast = new BlockList();
globalUnicast.addSubnet('2000::', 3, 'ipv6');

const maxUrl = 2_048;
const loopbackAddresses = ['127.0.0.1', '::1'];
// RFC 6761, RFC 6762, and what resolves inside a network only.
const innerNames = /(^|\.)(localhost|local|localdomain|internal|intranet|lan|home|corp|home\.arpa)$/;

export function openOutgoing({ loopback, hosts = [], resolve = resolvePublicly }: OutgoingOptions): Outgoing {
  const options = { allowIPAddressList: loopback ? loopbackAddresses : [], keepAlive: false };
  const lookup = lookupBy(resolve, loopback);
  const agents = {
    'http:': new RequestFilteringHttpAgent({ ...options, lookup }),
    'https:': new RequestFilteringHttpsAgent({ ...options, lookup }),
  };
  const vouched = {
    'http:': new http.Agent({ keepAlive: false, lookup: lookupVouched }),
    'https:': new https.Agent({ keepAlive: false, lookup: lookupVouched }),
  };
  const open = (text: string): { readonly url: URL; readonly agent: http.Agent } => {
    const url = readUrl(text);
    const scheme = url.protocol === 'https:' ? 'https:' : 'http:';
    if (!hosts.includes(url.host)) return { url: checkPublic(url, loopback), agent: agents[scheme] };
    if (isNeverAllowed(hostOf(url))) throw refusal('must not be a link-local address');
    return { url, agent: vouched[scheme] };
  };
  return {
    check: (url) => void open(url),
    send(request) {
      const { url, agent } = open(request.url);
      return send(url, request, agent);
    },
    fetch(text, init = {}, max_bytes = Infinity) {
      const { url, agent } = open(String(text));
      return fetchBy(url, init, agent, max_bytes);
    },
  };
}

function readUrl(text: string): URL {
  const url = text.length <= maxUrl && URL.canParse(text) ? new URL(text) : null;
  if (url === null) throw refusal('is not a URL of at most 2048 characters');
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw refusal('must start with https://');
  // URLs are shown and logged; what is in them is no secret.
  if (url.username !== '' || url.password !== '') throw refusal('must not carry a user or password');
  if (url.hash !== '') throw refusal('must not have a fragment');
  return url;
}

function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
}

function checkPublic(url: URL, loopback: boolean): URL {
  if (url.protocol !== 'https:' && !loopback) throw refusal('must start with https://');
  const host = hostOf(url);
  if (loopback && loopbackAddresses.includes(host)) return url;
  if (isIP(host) !== 0) throw refusal('must name a host, not an address');
  if (!host.includes('.') || innerNames.test(host)) throw refusal('must name a host of the public internet');
  return url;
}

function refusal(problem: string): NetraError {
  return new NetraError('invalid_request', `The URL ${problem}.`, { field: 'url' });
}

/** Where clouds tell a machine its credentials: nobody can vouch for these. */
const never = new BlockList();
never.addSubnet('169.254.0.0', 16, 'ipv4');
never.addSubnet('fe80::', 10, 'ipv6');
never.addAddress('fd00:ec2::254', 'ipv6');

function isNeverAllowed(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && never.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

/** As the machine resolves names, `/etc/hosts` too: an operator means what it means there. */
const lookupVouched: LookupFunction = (hostname, options, callback) => {
  lookUpHere(hostname, { ...options, all: true }, (error, found) => {
    const [first] = error === null ? found : [];
    if (first === undefined) return callback(error ?? new Error('no address'), '', 0);
    if (found.some(({ address }) => isNeverAllowed(address))) {
      return callback(Object.assign(new Error('link-local'), { code: notPublic }), '', 0);
    }
    if (options.all === true) callback(null, [...found]);
    else callback(null, first.address, first.family);
  });
};

/** Statuses that have no body (fetch standard, null body status). */
const bodyless: ReadonlySet<number> = new Set([204, 205, 304]);

async function fetchBy(url: URL, init: RequestInit, agent: http.Agent, max_bytes: number): Promise<Response> {
  const { promise, resolve, reject } = Promise.withResolvers<Response>();
  const { method = 'GET', body } = init;
  if (body !== undefined && body !== null && typeof body !== 'string') {
    throw new TypeError('outgoing.fetch sends text only');
  }
  const headers = Object.fromEntries(new Headers(init.headers));
  const sized = body ? { ...headers, 'content-length': String(Buffer.byteLength(body)) } : headers;
  const signal = init.signal ?? undefined;
  const client = url.protocol === 'https:' ? https : http;
  const options = { method, agent, headers: sized, maxHeaderSize: 16_384, ...(signal && { signal }) };
  const outgoing = client.request(url, options, (answer) => {
    const status = answer.statusCode ?? 502;
    const pairs = Object.entries(answer.headersDistinct).flatMap(([name, values = []]) =>
      values.map((value): [string, string] => [name, value]),
    );
    if (bodyless.has(status)) answer.resume();
    const stream = bodyless.has(status) ? null : Readable.toWeb(bounded(answer, max_bytes));
    resolve(new Response(stream as ReadableStream | null, { status, headers: pairs }));
  });
  outgoing.on('error', (error) => reject(signal?.aborted ? (signal.reason as Error) : named(error)));
  outgoing.end(body ?? undefined);
  return promise;
}

/** The answer's body; broken off where it is larger than it may be. */
function bounded(answer: http.IncomingMessage, max_bytes: number): Readable {
  let size = 0;
  return answer.compose(async function* (parts: AsyncIterable<Buffer>) {
    for await (const part of parts) {
      size += part.length;
      if (size > max_bytes) throw new OutgoingError(`The answer is larger than ${max_bytes} bytes.`, false);
      yield part;
    }
  } as never) as unknown as Readable;
}

async function send(url: URL, request: OutgoingRequest, agent: http.Agent): Promise<OutgoingAnswer> {
  const deadline = AbortSignal.timeout(request.timeout_ms);
  const signal = request.signal === undefined ? deadline : AbortSignal.any([deadline, request.signal]);
  try {
    return await exchange(url, request, agent, signal);
  } catch (error) {
    if (deadline.aborted)
      throw new OutgoingError(`No answer within ${request.timeout_ms} ms.`, false, { cause: error });
    throw named(error);
  }
}

function exchange(
  url: URL,
  { method, headers, body, max_bytes }: OutgoingRequest,
  agent: http.Agent,
  signal: AbortSignal,
): Promise<OutgoingAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<OutgoingAnswer>();
  const options = { method, agent, signal, headers: { ...headers, 'content-length': Buffer.byteLength(body) } };
  const client = url.protocol === 'https:' ? https : http;
  const outgoing = client.request(url, { ...options, maxHeaderSize: 16_384 }, (answer) => {
    const parts: Buffer[] = [];
    let size = 0;
    const done = (): void => {
      resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(parts).subarray(0, max_bytes).toString('utf8') });
      outgoing.destroy();
    };
    answer.on('data', (part: Buffer) => {
      parts.push(part);
      size += part.length;
      if (size >= max_bytes) done();
    });
    answer.on('end', done);
    answer.on('error', reject);
  });
  outgoing.on('error', reject);
  outgoing.end(body);
  return promise;
}

/** Fewer words than the error has: its message may quote addresses of a network that is not the tenant's to see. */
function named(error: unknown): OutgoingError {
  const { code, message } = error instanceof Error ? (error as NodeJS.ErrnoException) : { code: '', message: '' };
  if (code === notPublic || /is not allowed\. Because/.test(message)) {
    return new OutgoingError('The address is not of the public internet.', true, { cause: error });
  }
  return new OutgoingError(`No answer: ${code ?? 'the connection failed'}.`, false, { cause: error });
}

/**
 * Asks name servers alone, without the threads that getaddrinfo would hold: a tenant's dead name server would starve
 * file access and password hashing of the whole node. `/etc/hosts` is not read, which is as well.
 */
async function resolvePublicly(hostname: string): Promise<readonly LookupAddress[]> {
  const resolver = new Resolver({ timeout: 2_000, tries: 2 });
  const ask = (family: 4 | 6): Promise<LookupAddress[]> =>
    new Promise((resolve, reject) => {
      const answer = (error: Error | null, addresses: string[]): void =>
        error ? reject(error) : resolve(addresses.map((address) => ({ address, family })));
      if (family === 4) resolver.resolve4(hostname, answer);
      else resolver.resolve6(hostname, answer);
    });
  const answers = await Promise.allSettled([ask(4), ask(6)]);
  const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  if (found.length === 0 && answers[0].status === 'rejected') throw answers[0].reason;
  return found;
}

const notPublic = 'ENOTPUBLIC';

function isPublic6(address: string, loopback: boolean): boolean {
  return globalUnicast.check(address, 'ipv6') || (loopback && address === '::1');
}

/** As node asks an agent for addresses; the agent checks each of them. */
function lookupBy(resolve: (hostname: string) => Promise<readonly LookupAddress[]>, loopback: boolean): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname).then(
      (found) => {
        const [first] = found;
        if (first === undefined) {
          callback(Object.assign(new Error('no address'), { code: 'ENOTFOUND' }), '', 0);
          return;
        }
        if (found.some(({ address, family }) => family === 6 && !isPublic6(address, loopback))) {
          callback(Object.assign(new Error('no public address'), { code: notPublic }), '', 0);
          return;
        }
        if (options.all === true) callback(null, [...found]);
        else callback(null, first.address, first.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, '', 0),
    );
  };
}
