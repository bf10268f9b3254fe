import { join } from 'node:path';

/** Where a server is to die: at the `nth` round trip of that name after the plan was laid. */
export interface CrashPlan {
  readonly name: string;
  readonly nth: number;
  /**
   * `before`: the statement was not sent. `sent`: it was, and nobody waits for its answer; whether it was committed,
   * only the database knows. `answered`: its answer is there, and the code has not seen it.
   */
  readonly moment: 'before' | 'sent' | 'answered';
}

/** Names the folder through which a test and a server that it wants to die talk to each other. */
export const crashVariable = 'CRASH_FOLDER';

export const crashFiles = (folder: string): Record<'plan' | 'crashed' | 'trace', string> => ({
  /** A CrashPlan; the server looks for it at each round trip of a charge. */
  plan: join(folder, 'plan.json'),
  /** The plan again, written by the server in its last moment. */
  crashed: join(folder, 'crashed.json'),
  /** The name of each round trip of a charge, one a line. */
  trace: join(folder, 'trace'),
});
