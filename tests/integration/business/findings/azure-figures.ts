import Big from 'big.js';

/** What the public trace says by itself: plain sums over its lines, at gpt-4o's published $2.5 and $10 a million. */
export function azureFigures(csv: string) {
  const rows = csv
    .trimEnd()
    .split(/\r?\n/)
    .slice(1)
    .map((line) => line.split(',').map(Number));
  const column = (place: number): number[] => rows.map((row) => row[place] ?? Number.NaN);
  const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
  const middle = (values: readonly number[]): number =>
    values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
  const [input, output] = [column(1), column(2)];
  const [usual_input, usual_output] = [middle(input), middle(output)];
  const oversized = rows.filter(
    (_, place) => (input[place] ?? 0) > 4 * usual_input && (output[place] ?? 0) <= 2 * usual_output,
  );
  const cost_usd = new Big(total(input))
    .times('2.5')
    .plus(new Big(total(output)).times(10))
    .div(1_000_000);
  return {
    totals: {
      calls: rows.length,
      input_tokens: String(total(input)),
      output_tokens: String(total(output)),
      cost_usd: cost_usd.toFixed(),
    },
    oversized_calls: oversized.length,
  };
}
