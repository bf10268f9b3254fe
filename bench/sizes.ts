/** How much is measured: `full` for figures, `short` to see that it runs. */
export interface Size {
  readonly rounds: number;
  readonly pairs: number;
  /** Transfers of pgledger's shape in a round. */
  readonly transfers: number;
  /** Transfers, and finished runs, that are stored where growth is measured. */
  readonly stored: number;
  readonly appends: number;
  /** Rows of usage. */
  readonly rows: number;
  /** Sockets that idle on one node. */
  readonly sockets: number;
  /** Sockets that watch one run at once; and how many come back at once. */
  readonly watchers: number;
  readonly returning: number;
  /** Events of the run that is replayed. */
  readonly events: number;
  readonly seconds: number;
  /** Calls of the organisation whose usage is asked for, one after the other; and how often each question is asked. */
  readonly calls: readonly number[];
  readonly asks: number;
}

export const full: Size = {
  rounds: 5,
  pairs: 3_000,
  transfers: 6_000,
  stored: 1_000_000,
  appends: 30,
  rows: 200_000,
  sockets: 5_000,
  watchers: 200,
  returning: 1_000,
  events: 100_000,
  seconds: 10,
  calls: [100_000, 1_000_000, 10_000_000],
  asks: 40,
};

export const short: Size = {
  rounds: 2,
  pairs: 300,
  transfers: 600,
  stored: 10_000,
  appends: 5,
  rows: 20_000,
  sockets: 200,
  watchers: 20,
  returning: 50,
  events: 5_000,
  seconds: 2,
  calls: [1_000, 10_000],
  asks: 5,
};
