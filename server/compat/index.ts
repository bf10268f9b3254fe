/**
 * The wires of other people's clients, each a thin adapter over the same verbs and the same log: the AI SDK's `useChat`,
 * AG-UI and OpenAI. docs/compat.md says what each can and cannot carry.
 */
import type { NetraApp } from '../http/index.ts';
import { agUiRoutes } from './ag-ui/routes.ts';
import { aiSdkRoutes } from './ai-sdk/routes.ts';
import { openAiRoutes } from './openai/routes.ts';

export const compatRoutes: readonly ((app: NetraApp) => void)[] = [aiSdkRoutes, agUiRoutes, openAiRoutes];
