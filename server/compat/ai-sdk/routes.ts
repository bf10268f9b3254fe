import { z } from 'zod';
import { openEventStream, route, type NetraApp } from '../../http/index.ts';
import { readLatestRun, threadIdOf, type Tail } from '../../runs/index.ts';
import { followRun, openRun } from '../follow-run.ts';
import { conversationKey, openConversation, startRun, toldBefore } from '../start-run.ts';
import { ChatChunks } from './chat-chunks.ts';
import { askOf, chatRequest, toldOf } from './chat-request.ts';

/** The client sends the whole conversation with each question. */
const maxBody_bytes = 8 * 1024 * 1024;
const protocol = { 'x-vercel-ai-ui-message-stream': 'v1' };
const chatParams = z.object({ chat: z.string().min(1).max(100) });

export function aiSdkRoutes(app: NetraApp): void {
  route(app, 'chatAiSdk', {
    body: chatRequest,
    response: z.unknown(),
    bodyLimit: maxBody_bytes,
    timeout_ms: 0,
    async handle({ ctx, body, reply }) {
      const { agent, max_credits_micro, if_busy } = body;
      const { input, key } = askOf(body);
      const thread = await openConversation(ctx, 'ai-sdk', body.id, toldBefore(toldOf(body)));
      const { run } = await startRun(ctx, { wire: 'ai-sdk', thread, agent, input, max_credits_micro, if_busy, key });
      const tail = await openRun({ ctx, run });
      await sendChat(run, tail, openEventStream(reply, protocol));
    },
  });
  route(app, 'resumeAiSdk', {
    params: chatParams,
    response: z.unknown(),
    timeout_ms: 0,
    async handle({ ctx, params, reply }) {
      const thread = threadIdOf(ctx.principal.org_id, conversationKey('ai-sdk', params.chat));
      const run = await readLatestRun({ ctx, input: { thread } });
      // Nothing to resume: the client keeps what it has.
      if (run === null || run.ended_at !== null) return void (await reply.code(204).send());
      const tail = await openRun({ ctx, run: run.run_id });
      return sendChat(run.run_id, tail, openEventStream(reply, protocol));
    },
  });
}

/** Sends the run's whole message. A client that resumes builds it anew, so it always begins at the first event. */
async function sendChat(run: string, tail: Tail, stream: ReturnType<typeof openEventStream>): Promise<void> {
  const chunks = new ChatChunks(run);
  try {
    for await (const event of followRun({ tail, signal: stream.signal })) {
      for (const data of chunks.push(event)) await stream.write({ data });
    }
    await stream.done();
  } finally {
    stream.end();
  }
}
