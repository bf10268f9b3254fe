/** What another system must hear of: written in the transaction that makes it true, delivered once (by `event_id`). */
export interface OutboxRow {
  readonly event_id: string;
  /** Which receiver it is for. `charge` is written by the end of a run itself. */
  readonly kind: string;
  readonly payload: Readonly<Record<string, unknown>>;
}
