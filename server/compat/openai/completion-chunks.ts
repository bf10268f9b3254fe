import type { ModelUsage, RunEvent } from '@netra/contract';
import { sumTokens } from './token-sums.ts';

type Json = Readonly<Record<string, unknown>>;

/** A run told as a chat completion. What is no answer text has no place in this API: reasoning and tools stay unsaid. */
export class CompletionOfRun {
  readonly #run: string;
  readonly #usage: ModelUsage[] = [];
  #text = '';
  #agent = '';
  #created = 0;
  #failure: { readonly code: string; readonly message: string } | null = null;

  constructor(run: string) {
    this.#run = run;
  }

  /** Why there is no answer; null if there is one. */
  get failure(): { readonly code: string; readonly message: string } | null {
    return this.#failure;
  }

  push(event: RunEvent): readonly Json[] {
    switch (event.type) {
      case 'agent_started':
        this.#agent = event.data.agent;
        this.#created = Math.floor(Date.parse(event.at) / 1000);
        return [this.#chunk({ role: 'assistant', content: '' }, null)];
      case 'agent_message':
        if (event.data.restarts === true) this.#text = '';
        this.#text += event.data.text;
        return event.data.text === '' ? [] : [this.#chunk({ content: event.data.text }, null)];
      case 'credits_charged':
        if (event.data.usage !== undefined) this.#usage.push(event.data.usage);
        return [];
      case 'agent_completed':
        return [this.#chunk({}, 'stop')];
      case 'agent_failed':
        this.#failure = { code: event.data.code, message: event.data.message };
        return [{ error: { ...this.#failure, type: 'server_error', param: null } }];
      case 'agent_cancelled':
        this.#failure = { code: 'cancelled', message: 'The run was cancelled.' };
        return [{ error: { ...this.#failure, type: 'server_error', param: null } }];
      case 'agent_thinking':
      case 'tool_executing':
      case 'tool_completed':
      case 'approval_requested':
      case 'approval_given':
        return [];
    }
  }

  /** The last chunk, where the client asked for it. */
  usageChunk(): Json {
    return { ...this.#head('chat.completion.chunk'), choices: [], usage: this.#tokens() };
  }

  completion(): Json {
    const message = { role: 'assistant', content: this.#text, refusal: null };
    return {
      ...this.#head('chat.completion'),
      choices: [{ index: 0, message, logprobs: null, finish_reason: 'stop' }],
      usage: this.#tokens(),
    };
  }

  #head(object: string): Json {
    return { id: `chatcmpl-${this.#run}`, object, created: this.#created, model: this.#agent };
  }

  #chunk(delta: Json, finish_reason: 'stop' | null): Json {
    const choice = { index: 0, delta, logprobs: null, finish_reason };
    return { ...this.#head('chat.completion.chunk'), choices: [choice] };
  }

  #tokens(): Json {
    const { input, output, total } = sumTokens(this.#usage);
    return { prompt_tokens: input, completion_tokens: output, total_tokens: total };
  }
}
