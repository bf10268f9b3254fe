/** Calls of a feature by size: far beyond the median (`apart`), and on the way there (`between`). */
export interface Sizes {
  readonly calls: number;
  /** Over four times the median. */
  readonly apart: number;
  /** Over twice the median, up to four times. */
  readonly between: number;
  /** Those of `apart` that are ordinary otherwise. */
  readonly ordinary: number;
}

/** More than a quarter of the calls are no exception, but another kind of work. */
const max_share = 0.25;
/** A long tail thins out on its way; calls that went wrong leave a gap. */
const max_between = 1 / 3;
/** Where more of them come with something else, the size has a reason. */
const min_ordinary = 0.8;

/**
 * Whether the largest calls are a few that stand apart from the rest, and have nothing else to show for it. Work whose
 * size varies widely has such calls too, but has more of them half-way; work of two kinds has many.
 */
export function standApart({ calls, apart, between, ordinary }: Sizes): boolean {
  return apart <= calls * max_share && between <= apart * max_between && ordinary >= apart * min_ordinary;
}
