import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { LanguageModelV4, LanguageModelV4Message, LanguageModelV4Prompt } from '@ai-sdk/provider';
import { z } from 'zod';

const chatRequest = z.object({
  model: z.string(),
  max_tokens: z.number().optional(),
  messages: z.array(
    z.object({
      role: z.enum(['system', 'user', 'assistant', 'tool']),
      content: z.union([z.string(), z.null()]).optional(),
      tool_call_id: z.string().optional(),
      tool_calls: z
        .array(z.object({ id: z.string(), function: z.object({ name: z.string(), arguments: z.string() }) }))
        .optional(),
    }),
  ),
  tools: z
    .array(z.object({ function: z.object({ name: z.string(), parameters: z.record(z.string(), z.unknown()) }) }))
    .optional(),
});
type ChatRequest = z.infer<typeof chatRequest>;

/** What an answer of the endpoint does instead of answering, or what it says of its tokens in place of their number. */
export type Fault =
  | `status ${number}`
  | `status ${number} after ${string}`
  | 'hang up'
  | 'silent'
  | 'silent half-way'
  | 'cut off'
  | 'wrong call'
  | 'filtered'
  | keyof typeof miscounts;

/** How gateways get usage wrong; `to the limit` is right, of an answer as long as it may be. */
const miscounts = {
  'no usage': () => undefined,
  'empty usage': () => ({}),
  'zero usage': () => ({ prompt_tokens: 0, completion_tokens: 0 }),
  'negative usage': () => ({ prompt_tokens: -7, completion_tokens: -7 }),
  'broken usage': () => ({ prompt_tokens: 1.5, completion_tokens: 1e15 }),
  'to the limit': (right: Tokens, { max_tokens = 0 }: ChatRequest) => ({ ...right, completion_tokens: max_tokens }),
  'beyond the limit': (right: Tokens, { max_tokens = 0 }: ChatRequest) => ({
    ...right,
    completion_tokens: 100 * max_tokens,
  }),
} as const;

/** A language model served the way OpenAI-compatible servers do: chat completions, streamed, with tokens counted. */
export interface Endpoint {
  readonly url: string;
  /** One entry a request, oldest first: what was asked, and the tokens that were reported. */
  readonly calls: readonly { readonly request: ChatRequest; readonly usage: Tokens | null }[];
  /** Faults of the next requests, in order. */
  readonly faults: Fault[];
  /** Requests whose caller went away while it was kept waiting. */
  readonly left: number;
  /** When each request came, in ms of the monotonic clock. */
  readonly came_ms: readonly number[];
  close(): Promise<void>;
}

interface Tokens {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
}

export async function serveModel(model: LanguageModelV4): Promise<Endpoint> {
  const calls: { request: ChatRequest; usage: Tokens | null }[] = [];
  const faults: Fault[] = [];
  const came_ms: number[] = [];
  let left = 0;
  const server = createServer((request, response) => {
    void (async () => {
      const body = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>)).toString();
      const call: { request: ChatRequest; usage: Tokens | null } = {
        request: chatRequest.parse(JSON.parse(body)),
        usage: null,
      };
      calls.push(call);
      came_ms.push(performance.now());
      const fault = faults.shift();
      const refusal = /^status (\d+)(?: after (.*))?$/.exec(fault ?? '');
      if (refusal) return refuse(response, Number(refusal[1]), refusal[2]);
      if (fault === 'hang up') return void response.destroy();
      if (fault === 'silent' || fault === 'silent half-way') {
        if (fault === 'silent half-way') begin(response);
        await once(response, 'close');
        left += 1;
        return;
      }
      call.usage = await answer(model, call.request, body, response, fault);
    })().catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v1`,
    calls,
    faults,
    came_ms,
    get left() {
      return left;
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** The first words of an answer. */
function begin(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const choices = [{ index: 0, delta: { role: 'assistant', content: 'Let me see' }, finish_reason: null }];
  response.write(`data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, choices })}\n\n`);
}

function refuse(response: ServerResponse, status: number, after: string | undefined): void {
  const headers = { 'content-type': 'application/json', ...(after === undefined ? {} : { 'retry-after': after }) };
  response.writeHead(status, headers);
  response.end(JSON.stringify({ error: { message: 'the address of a secret host', type: 'x', code: null } }));
}

async function answer(
  model: LanguageModelV4,
  request: ChatRequest,
  body: string,
  response: ServerResponse,
  fault: Fault | undefined,
): Promise<Tokens | null> {
  const tools = (request.tools ?? []).map((tool) => ({
    type: 'function' as const,
    name: tool.function.name,
    inputSchema: tool.function.parameters,
  }));
  const { content, finishReason } = await model.doGenerate({ prompt: promptOf(request), tools });
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const send = (choices: readonly unknown[], rest: object = {}): boolean =>
    response.write(
      `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: request.model, choices, ...rest })}\n\n`,
    );
  const delta = (part: object): boolean => send([{ index: 0, delta: part, finish_reason: null }]);
  let said = '';
  let place = 0;
  for (const part of content) {
    if (part.type === 'reasoning') delta({ role: 'assistant', reasoning_content: part.text });
    if (part.type === 'text')
      for (const line of part.text.split(/(?<=\n)/)) delta({ role: 'assistant', content: line });
    if (part.type === 'reasoning' || part.type === 'text') said += part.text;
    if (fault === 'cut off') {
      await new Promise((resolve) => setImmediate(resolve));
      response.destroy();
      return null;
    }
    if (part.type !== 'tool-call') continue;
    const args = fault === 'wrong call' ? '{"limit":"many"}' : part.input;
    said += args;
    const call = { name: part.toolName, arguments: args };
    delta({ tool_calls: [{ index: place, id: `x${place}`, type: 'function', function: call }] });
    place += 1;
  }
  const usage = { prompt_tokens: Math.ceil(body.length / 4), completion_tokens: Math.ceil(said.length / 4) };
  const usual = finishReason.unified === 'tool-calls' ? 'tool_calls' : 'stop';
  const finish_reason = fault === 'filtered' ? 'content_filter' : usual;
  send([{ index: 0, delta: {}, finish_reason }]);
  const told =
    fault !== undefined && fault in miscounts ? miscounts[fault as keyof typeof miscounts](usage, request) : usage;
  send([], { usage: told });
  response.end('data: [DONE]\n\n');
  return usage;
}

function promptOf({ messages }: ChatRequest): LanguageModelV4Prompt {
  const names = new Map<string, string>();
  return messages.map((message): LanguageModelV4Message => {
    const text = message.content ?? '';
    if (message.role === 'system') return { role: 'system', content: text };
    if (message.role === 'user') return { role: 'user', content: [{ type: 'text', text }] };
    if (message.role === 'assistant') {
      const calls = (message.tool_calls ?? []).map((call) => {
        names.set(call.id, call.function.name);
        const input: unknown = JSON.parse(call.function.arguments);
        return { type: 'tool-call' as const, toolCallId: call.id, toolName: call.function.name, input };
      });
      return { role: 'assistant', content: [...(text === '' ? [] : [{ type: 'text' as const, text }]), ...calls] };
    }
    const toolCallId = message.tool_call_id ?? '';
    const value = z.json().parse(JSON.parse(text));
    const toolName = names.get(toolCallId) ?? '';
    return { role: 'tool', content: [{ type: 'tool-result', toolCallId, toolName, output: outputOf(value) }] };
  });
}

/** On this wire a refused call looks like any result; what it was is seen by its shape. */
function outputOf(value: z.infer<ReturnType<typeof z.json>>): { type: 'json' | 'error-json'; value: typeof value } {
  const failed = typeof value === 'object' && value !== null && 'code' in value && 'message' in value;
  return { type: failed ? 'error-json' : 'json', value };
}
