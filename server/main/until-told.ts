/** Resolves at SIGTERM or SIGINT and, if asked, when stdin ends: whoever started us has gone. */
export function untilTold({ stdin }: { readonly stdin: boolean }): Promise<void> {
  return new Promise((resolve) => {
    const told = (): void => {
      // An open pipe would keep the process after its work is done.
      if (stdin) process.stdin.destroy();
      resolve();
    };
    process.once('SIGTERM', told);
    process.once('SIGINT', told);
    if (!stdin) return;
    process.stdin.once('end', told);
    process.stdin.once('close', told);
    process.stdin.resume();
  });
}
