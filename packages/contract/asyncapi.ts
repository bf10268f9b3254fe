import { z } from 'zod';
import { eventFrames } from './server-frame.ts';
import { clientFrames, maxFrameBytes, serverFrames, subprotocol } from './frames.ts';

/** What each message is for, in one line; the rules are in docs/PROTOCOL.md. */
const summaries: Readonly<Record<string, string>> = {
  hello: 'Sign the socket in; within 10 s, unless Authorization was sent with the upgrade',
  run: 'Run an agent',
  subscribe: "Follow a run's events from a cursor on",
  cancel: 'Ask a run to stop',
  approve: 'Answer a request for approval',
  token: 'Renew the token',
  ready: 'Signed in, or the token renewed',
  accepted: 'The command is written down',
  subscribed: 'Events follow',
  live: 'Everything up to seq was sent; what follows comes as it happens',
  end: 'The terminal event was sent; nothing follows',
  reset: "The cursor is void: the run's events start again from first",
  error: 'A command was refused, or a warning if it has no id',
  drain: 'This node goes away; reconnect after after_ms plus a random part of jitter_ms',
};

/** The AsyncAPI 3.0 document of `/v1/ws`; its payloads are the schemas that server and client check by. */
export function asyncApiDocument(): Record<string, unknown> {
  const sent = Object.entries(clientFrames);
  const received = [...Object.entries(serverFrames), ...Object.entries(eventFrames)];
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Netra',
      version: '1',
      description: 'Agent runs over one WebSocket. One JSON object a frame, told apart by `type`. See PROTOCOL.md.',
      license: { name: 'Apache-2.0' },
    },
    defaultContentType: 'application/json',
    servers: { node: { host: '127.0.0.1:4100', protocol: 'ws' } },
    channels: {
      socket: {
        address: '/v1/ws',
        description: `Subprotocol ${subprotocol}. Frames of a client are at most ${maxFrameBytes} bytes.`,
        messages: Object.fromEntries([...sent, ...received].map(([name]) => [name, messageRef(name)])),
      },
    },
    operations: {
      fromClient: operation('receive', sent),
      fromServer: operation('send', received),
    },
    components: {
      messages: Object.fromEntries([
        ...sent.map(([name, schema]) => [name, message(name, schema, 'input')]),
        ...received.map(([name, schema]) => [name, message(name, schema, 'output')]),
      ]),
    },
  };
}

type Named = readonly [string, z.ZodType];

function operation(action: 'send' | 'receive', messages: readonly Named[]): Record<string, unknown> {
  return {
    action,
    channel: { $ref: '#/channels/socket' },
    messages: messages.map(([name]) => ({ $ref: `#/channels/socket/messages/${name}` })),
  };
}

function messageRef(name: string): Record<string, string> {
  return { $ref: `#/components/messages/${name}` };
}

function message(name: string, schema: z.ZodType, io: 'input' | 'output'): Record<string, unknown> {
  const { $schema: _dialect, ...payload } = z.toJSONSchema(schema, { target: 'draft-7', io });
  return { name, summary: summaries[name] ?? 'An event of a run', payload };
}
