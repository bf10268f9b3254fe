export { createClient, type Client, type ImportUsageInput, type RunInput } from './client.ts';
export type { Backoff, ClientOptions, ConnectionState, WebSocketClass, WebSocketLike } from './options.ts';
export type { FinalFrame, RunHandle } from './run-handle.ts';
export type { Upload } from './rest.ts';
export type { ExportLine, MessagesQuery } from './threads.ts';
