/** What one test did. */
export interface TestOutcome {
  /** Its title and those of the blocks around it, outermost first. */
  readonly titles: readonly string[];
  readonly state: 'passed' | 'failed' | 'skipped' | 'pending';
  readonly duration_ms: number;
  readonly errors: readonly string[];
  /** How often it was run again after a failure. More than 0 is a defect: a test that retries hides one. */
  readonly retries: number;
}

export interface FileOutcome {
  /** From the root. */
  readonly path: string;
  readonly duration_ms: number;
  readonly tests: readonly TestOutcome[];
  /** Errors outside any test: while loading the file or in its hooks. */
  readonly errors: readonly string[];
}

/** What the reporter writes at the end of a run. */
export interface RunOutcome {
  readonly files: readonly FileOutcome[];
  /** Errors of no file: a rejection that nobody awaited, a crashed worker. */
  readonly errors: readonly string[];
}

/** The variable that tells the reporter where to write. */
export const resultsVariable = 'NETRA_TEST_RESULTS';
