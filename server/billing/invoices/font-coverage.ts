import { readFileSync } from 'node:fs';

/** Which characters a TrueType font has a glyph for: its `cmap`, formats 4 and 12 (OpenType 1.9, cmap). */
export function fontCoverage(path: string): (code_point: number) => boolean {
  const font = readFileSync(path);
  const covered = new Set<number>();
  const cmap = tableOffset(font, 'cmap');
  const subtables = font.readUInt16BE(cmap + 2);
  for (let index = 0; index < subtables; index += 1) {
    const at = cmap + font.readUInt32BE(cmap + 4 + 8 * index + 4);
    const format = font.readUInt16BE(at);
    if (format === 4) addSegments(font, at, covered);
    else if (format === 12) addGroups(font, at, covered);
  }
  return (code_point) => covered.has(code_point);
}

function tableOffset(font: Buffer, tag: string): number {
  const tables = font.readUInt16BE(4);
  for (let index = 0; index < tables; index += 1) {
    const record = 12 + 16 * index;
    if (font.toString('latin1', record, record + 4) === tag) return font.readUInt32BE(record + 8);
  }
  throw new Error(`the font has no table ${tag}`);
}

/** Format 4: segments of the basic plane. A code whose glyph is 0 is not covered. */
function addSegments(font: Buffer, at: number, covered: Set<number>): void {
  const count = font.readUInt16BE(at + 6) / 2;
  const column = (place: number, index: number): number => at + 14 + 2 * (place * count + index) + (place > 0 ? 2 : 0);
  for (let index = 0; index < count; index += 1) {
    const end = font.readUInt16BE(column(0, index));
    const start = font.readUInt16BE(column(1, index));
    const delta = font.readUInt16BE(column(2, index));
    const range = font.readUInt16BE(column(3, index));
    for (let code = start; code <= end && code < 0xffff; code += 1) {
      const glyph =
        range === 0 ? (code + delta) & 0xffff : font.readUInt16BE(column(3, index) + range + 2 * (code - start));
      if (glyph !== 0) covered.add(code);
    }
  }
}

/** Format 12: groups of any plane. */
function addGroups(font: Buffer, at: number, covered: Set<number>): void {
  const groups = font.readUInt32BE(at + 12);
  for (let index = 0; index < groups; index += 1) {
    const group = at + 16 + 12 * index;
    const end = font.readUInt32BE(group + 4);
    for (let code = font.readUInt32BE(group); code <= end; code += 1) covered.add(code);
  }
}
