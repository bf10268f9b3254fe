/** The beginning of a source, and all of it: nothing is lost by having looked. */
export interface PeekedSource {
  readonly head: Buffer;
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** Reads at least `wanted` bytes ahead, or all there are. */
export async function peekSource(source: AsyncIterable<Uint8Array>, wanted: number): Promise<PeekedSource> {
  const chunks: Uint8Array[] = [];
  const rest = source[Symbol.asyncIterator]();
  let size = 0;
  while (size < wanted) {
    const next = await rest.next();
    if (next.done === true) break;
    chunks.push(next.value);
    size += next.value.length;
  }
  async function* all(): AsyncGenerator<Uint8Array> {
    try {
      yield* chunks;
      for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
    } finally {
      await rest.return?.();
    }
  }
  return { head: Buffer.concat(chunks), bytes: all() };
}
