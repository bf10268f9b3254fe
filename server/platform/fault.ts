/** A row that breaks an invariant, as an examination found it, for a person who has to mend it. */
export interface Fault {
  /** M1–M5, R1, R2, or `chain` and `prices`, which have no number. */
  readonly invariant: string;
  /** The kind of fault; docs/operate.md tells of each. */
  readonly fault: string;
  /** The table that the row is, or should be, in. */
  readonly place: string;
  /** The row's key; what of it is known. */
  readonly key: Readonly<Record<string, unknown>>;
  /** The last moment at which it was right, or the first at which it was not; null where no row tells. */
  readonly since: Date | null;
  readonly expected: string;
  readonly found: string;
  /** How many of this kind there are in the organisation; only the first are told one by one. */
  readonly of: number;
  /** What must have happened. */
  readonly means: string;
  /** What to do next, in words; nothing mends itself. */
  readonly mend: string;
}
