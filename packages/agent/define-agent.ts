import type { z } from 'zod';
import type { AnyTool } from './define-tool.ts';
import type { McpServer } from './mcp-server.ts';
import type { Step, Turn, TurnResult } from './steps.ts';

/** `default` is the endpoint of NETRA_MODEL_URL; or an OpenAI-compatible one of the agent's own. */
export type ModelChoice =
  | 'default'
  | {
      /** Base of the endpoint: …/v1. */
      readonly url: string;
      /** The model's name there, and in the price book. */
      readonly name: string;
      /** The environment variable that holds its key. */
      readonly key_env?: string;
    };

interface Terms {
  /** Lower case letters, digits, `_` and `-`, at most 64: what runs are asked for by. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** Credits for a run, as a number or a decimal text. It opens the books; from then on they are the operator's. */
  readonly fee: number | string;
  /** The plans that have it at first. Default: every plan. */
  readonly plans?: readonly string[];
  /** The most credits that a run may cost with its fee: it asks before it goes beyond. */
  readonly budget?: number | string;
}

export interface AgentDefinition<Schema extends z.ZodType> extends Terms {
  /** The system prompt. */
  readonly instructions?: string;
  readonly model?: ModelChoice;
  /** In place of a model: the agent is code, and costs no tokens. */
  steps?(turn: Turn<z.output<Schema>>): AsyncIterable<Step> | Iterable<Step>;
  readonly tools?: readonly AnyTool[];
  /** Servers of the Model Context Protocol whose tools it may call. */
  readonly mcp?: readonly McpServer[];
  /** What a run is asked with. Default: a text, or `{ question }`. */
  readonly input?: Schema;
  /** The user's words of an input. Default: the text or `question` of it, else its JSON. */
  question?(input: z.output<Schema>): string;
  /** The run's `output`. Default: `{ text }`. */
  complete?(run: {
    readonly input: z.output<Schema>;
    readonly text: string;
    readonly results: readonly TurnResult[];
  }): unknown;
  readonly bounds?: {
    /** Model calls in a run. Default 24. */
    readonly max_steps?: number;
    /** Events in a run's log. Default 2,000. */
    readonly max_events?: number;
    /** Tokens that a model call may be asked with. Default 400,000. */
    readonly max_prompt_tokens?: number;
    /** Tokens of one answer. Default 4,096. */
    readonly max_output_tokens?: number;
  };
}

/** An agent whose input type is no longer of interest. */
export interface AnyAgent {
  readonly kind: 'netra.agent';
  readonly definition: AgentDefinition<z.ZodType>;
}

export function defineAgent<Schema extends z.ZodType = z.ZodType<string>>(
  definition: AgentDefinition<Schema>,
): AnyAgent {
  return { kind: 'netra.agent', definition: definition as unknown as AgentDefinition<z.ZodType> };
}
