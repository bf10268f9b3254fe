/** An agent of any language that speaks AG-UI 1.0 at a URL. */
export interface RemoteAgentDefinition {
  /** Lower case letters, digits, `_` and `-`, at most 64. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** Credits for a run; see `defineAgent`. */
  readonly fee: number | string;
  readonly plans?: readonly string[];
  /** Where a run is posted. */
  readonly url: string;
  /** `${NAME}` in a value is the environment variable NAME: no secret stands in the file. */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * What a run there does outside: where the server dies half-way, `none` and `idempotent` run again with the same run
   * id, `once` asks the user first. Default: `once`.
   */
  readonly effects?: 'none' | 'idempotent' | 'once';
  /** Of one run's stream. Default 8,388,608. */
  readonly max_bytes?: number;
  /** How long the stream may be silent. Default 60,000. */
  readonly silence_ms?: number;
}

export interface AnyRemoteAgent {
  readonly kind: 'netra.remote-agent';
  readonly definition: RemoteAgentDefinition;
}

export function defineRemoteAgent(definition: RemoteAgentDefinition): AnyRemoteAgent {
  return { kind: 'netra.remote-agent', definition };
}
