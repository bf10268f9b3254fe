import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { EventType } from '@ag-ui/core';
import { EventSchemas, RunAgentInputSchema } from '@ag-ui/core/schemas';
import { EventEncoder } from '@ag-ui/encoder';
import type { z } from 'zod';

export type AgUiInput = z.output<typeof RunAgentInputSchema>;

/** An agent that is served with the protocol's own packages: each request and event is checked by its schemas. */
export interface AgUiServer {
  readonly port: number;
  readonly asked: readonly { readonly input: AgUiInput; readonly token: string | undefined }[];
  /** Runs that are in the middle wait while this is true. */
  hold: boolean;
  close(): Promise<void>;
}

export async function serveAgUi(): Promise<AgUiServer> {
  const asked: { input: AgUiInput; token: string | undefined }[] = [];
  const state = { hold: false };
  const server = createServer((request, response) => {
    void (async () => {
      const body = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>)).toString();
      const input = RunAgentInputSchema.parse(JSON.parse(body));
      asked.push({ input, token: request.headers['x-token'] as string | undefined });
      if (request.url === '/redirect') return void response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end();
      const encoder = new EventEncoder();
      response.writeHead(200, { 'content-type': encoder.getContentType() });
      const send = (event: object): boolean => response.write(encoder.encode(EventSchemas.parse(event) as never));
      await answer(request.url ?? '/', input, send, response, () => state.hold);
      response.end();
    })().catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    get hold() {
      return state.hold;
    },
    set hold(value) {
      state.hold = value;
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function answer(
  path: string,
  { threadId, runId, messages }: AgUiInput,
  send: (event: object) => boolean,
  response: ServerResponse,
  hold: () => boolean,
): Promise<void> {
  const question = messages.at(-1)?.content;
  send({ type: EventType.RUN_STARTED, threadId, runId });
  send({ type: EventType.REASONING_START, messageId: 'r' });
  send({ type: EventType.REASONING_MESSAGE_START, messageId: 'r', role: 'reasoning' });
  send({ type: EventType.REASONING_MESSAGE_CONTENT, messageId: 'r', delta: 'Let me look.' });
  send({ type: EventType.REASONING_MESSAGE_END, messageId: 'r' });
  send({ type: EventType.REASONING_END, messageId: 'r' });
  send({ type: EventType.TOOL_CALL_START, toolCallId: 't1', toolCallName: 'look_up' });
  send({ type: EventType.TOOL_CALL_ARGS, toolCallId: 't1', delta: '{"word":' });
  send({ type: EventType.TOOL_CALL_ARGS, toolCallId: 't1', delta: '"netra"}' });
  send({ type: EventType.TOOL_CALL_END, toolCallId: 't1' });
  send({
    type: EventType.TOOL_CALL_RESULT,
    messageId: 'm',
    toolCallId: 't1',
    content: '{"means":"eye"}',
    role: 'tool',
  });
  send({ type: EventType.STATE_SNAPSHOT, snapshot: { looked: [] } });
  send({ type: EventType.STATE_DELTA, delta: [{ op: 'add', path: '/looked/-', value: 'netra' }] });
  while (hold() && !response.destroyed) await sleep(20);
  if (path === '/error') return void send({ type: EventType.RUN_ERROR, message: 'out of luck', code: 'luck' });
  if (path === '/early') return;
  send({ type: EventType.TEXT_MESSAGE_START, messageId: 'm', role: 'assistant' });
  for (const delta of ['You asked: ', typeof question === 'string' ? question : '']) {
    send({ type: EventType.TEXT_MESSAGE_CONTENT, messageId: 'm', delta });
  }
  send({ type: EventType.TEXT_MESSAGE_END, messageId: 'm' });
  send({ type: EventType.RUN_FINISHED, threadId, runId, outcome: { type: 'success' } });
}
