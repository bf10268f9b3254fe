/** A page of a list; `next` is the cursor of the following one, null at the end. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly next: string | null;
}
