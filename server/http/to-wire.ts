/**
 * What a verb may answer where the wire says `Wire`: money as bigint and times as Date, since that is how rooms hold
 * them, for what travels as a string.
 */
export type Wireable<Wire> = unknown extends Wire
  ? unknown
  : Wire extends string
    ? string extends Wire
      ? string | bigint | Date
      : Wire
    : Wire extends readonly (infer Item)[]
      ? readonly Wireable<Item>[]
      : Wire extends object
        ? { readonly [Key in keyof Wire]: Wireable<Wire[Key]> }
        : Wire;

/** bigint → decimal string, Date → ISO UTC, all the way down; everything else as it is. */
export function toWire(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(toWire);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, toWire(member)]));
}
