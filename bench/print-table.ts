export interface Row {
  readonly name: string;
  readonly unit: string;
  readonly ours: number;
  /** The bare thing underneath, measured in the same run. */
  readonly floor?: number;
  readonly ratio?: number;
  /** The ratios of the lowest and the highest round, where it was measured in rounds. */
  readonly spread?: readonly [number, number];
  /** What the ratio (or, without a floor, the figure) should be. */
  readonly aim?: string;
}

export function printTable(rows: readonly Row[]): string {
  const header = ['', 'ours', 'floor', 'ratio', 'of a round', 'aim'];
  const cells = rows.map(({ name, unit, ours, floor, ratio, spread, aim }) => [
    name,
    `${figure(ours)} ${unit}`,
    floor === undefined ? '' : `${figure(floor)} ${unit}`,
    ratio === undefined ? '' : ratio.toFixed(2),
    spread === undefined ? '' : spread.map((each) => each.toFixed(2)).join('–'),
    aim ?? '',
  ]);
  const widths = header.map((_, column) => Math.max(...[header, ...cells].map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) =>
        column === 0 || column === 5 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return `${[header, ...cells].map(line).join('\n')}\n`;
}

/** One row, as soon as it is there. */
export function describeRow({ name, unit, ours, ratio }: Row): string {
  return `${name}: ${figure(ours)} ${unit}${ratio === undefined ? '' : `, ratio ${ratio.toFixed(2)}`}`;
}

function figure(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(1);
}
