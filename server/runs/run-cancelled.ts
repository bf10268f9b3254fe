/** The reason of a run's AbortSignal when a person asked to cancel it: end it with `agent_cancelled`. */
export class RunCancelled extends Error {
  /** Who asked. */
  readonly by: string;

  constructor(by: string) {
    super('The run was cancelled');
    this.name = 'RunCancelled';
    this.by = by;
  }
}
