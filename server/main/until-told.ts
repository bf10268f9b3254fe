/** Resolves at SIGTERM, SIGINT, or the end of stdin: whoever started us has gone. */
export function untilTold(): Promise<void> {
  return new Promise((resolve) => {
    const told = (): void => {
      // An open pipe would keep the process after its work is done.
      process.stdin.destroy();
      resolve();
    };
    process.once('SIGTERM', told);
    process.once('SIGINT', told);
    process.stdin.once('end', told);
    process.stdin.once('close', told);
    process.stdin.resume();
  });
}
