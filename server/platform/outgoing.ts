/* oxlint-disable promise/no-callback-in-promise -- a look-up of node:net answers by callback */
import { Resolver, type LookupAddress } from 'node:dns';
import * as http from 'node:http';
import * as https from 'node:https';
import { BlockList, isIP, type LookupFunction } from 'node:net';
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

export function openOutgoing({ loopback, resolve = resolvePublicly }: OutgoingOptions): Outgoing {
  const options = { allowIPAddressList: loopback ? loopbackAddresses : [], keepAlive: false };
  const lookup = lookupBy(resolve, loopback);
  const agents = {
    'http:': new RequestFilteringHttpAgent({ ...options, lookup }),
    'https:': new RequestFilteringHttpsAgent({ ...options, lookup }),
  };
  const check = (url: string): void => void parse(url, loopback);
  return {
    check,
    send(request) {
      const url = parse(request.url, loopback);
      return send(url, request, url.protocol === 'https:' ? agents['https:'] : agents['http:']);
    },
  };
}

function parse(text: string, loopback: boolean): URL {
  const url = text.length <= maxUrl && URL.canParse(text) ? new URL(text) : null;
  if (url === null) throw refusal('is not a URL of at most 2048 characters');
  if (url.protocol !== 'https:' && !(loopback && url.protocol === 'http:')) throw refusal('must start with https://');
  // URLs are shown and logged; what is in them is no secret.
  if (url.username !== '' || url.password !== '') throw refusal('must not carry a user or password');
  if (url.hash !== '') throw refusal('must not have a fragment');
  const host = url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  if (loopback && loopbackAddresses.includes(host)) return url;
  if (isIP(host) !== 0) throw refusal('must name a host, not an address');
  if (!host.includes('.') || innerNames.test(host)) throw refusal('must name a host of the public internet');
  return url;
}

function refusal(problem: string): NetraError {
  return new NetraError('invalid_request', `The URL ${problem}.`, { field: 'url' });
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
