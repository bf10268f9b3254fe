/** Resolves at SIGTERM or SIGINT and, if asked, when stdin ends: whoever started us has gone. */
export function untilTold({ stdin }: { readonly stdin: boolean }): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
    if (!stdin) return;
    process.stdin.once('end', resolve);
    process.stdin.once('close', resolve);
    process.stdin.resume();
  });
}
