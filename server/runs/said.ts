/** One thing said in a conversation, as text: what a model is told of it. */
export interface Said {
  readonly author: 'user' | 'agent';
  readonly text: string;
}

/** Kept of what was said before a conversation came here; more is left out, oldest first. */
const maxPrelude_bytes = 256 * 1024;
const maxPrelude_messages = 200;

/** The newest part of `said` that is kept with a thread. */
export function keptPrelude(said: readonly Said[]): readonly Said[] {
  let bytes = 0;
  const newest = said.toReversed().slice(0, maxPrelude_messages);
  const over = newest.findIndex(({ text }) => (bytes += Buffer.byteLength(text)) > maxPrelude_bytes);
  return (over === -1 ? newest : newest.slice(0, over)).toReversed();
}
