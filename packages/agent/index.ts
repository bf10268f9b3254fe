/**
 * What an engineer writes an agent with: a file of the agents folder imports this, and nothing else of Netra. Each
 * function only gives its argument a type and a mark; the server that loads the file checks it, and says what is wrong.
 */
export { z } from 'zod';
export { defineAgent, type AgentDefinition, type AnyAgent, type ModelChoice } from './define-agent.ts';
export { defineRemoteAgent, type RemoteAgentDefinition } from './define-remote-agent.ts';
export { defineTool, type AnyTool, type Effects, type ToolCall, type ToolDefinition } from './define-tool.ts';
export { mcpServer, type McpServer, type McpTool } from './mcp-server.ts';
export type { Step, Turn, TurnResult } from './steps.ts';
