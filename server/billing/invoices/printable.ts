/** Text as it can be printed, and whether anything in it could not. */
export interface Printable {
  readonly text: string;
  readonly whole: boolean;
}

/** A wider word may be parted, in widths of a small letter: no column holds a name of 200 letters. */
const widestWord = 26;
/** Where: after so many letters each, so that its lines are full. */
const part = 3;

/**
 * Text for a font that `covers` some characters: each other one is shown by its code point, `[U+5C71]`, and so are
 * invisible ones, which could make a name read as another. Nothing is dropped and nothing turns into an empty box.
 */
export function printable(text: string, covers: (code_point: number) => boolean): Printable {
  let whole = true;
  const shown = Array.from(text.normalize('NFC'), (character) => {
    if (character === '\n') return character;
    const code_point = character.codePointAt(0) ?? 0;
    if (covers(code_point) && !/[\p{Cc}\p{Cf}\p{Co}\p{Cs}]/u.test(character)) return character;
    whole = false;
    return `[U+${code_point.toString(16).toUpperCase().padStart(4, '0')}] `;
  });
  return { text: breakable(shown.join('').trimEnd()), whole };
}

/** Lets words that no column can hold be parted, by a space of no width. */
function breakable(text: string): string {
  const letters = new RegExp(`\\S{${part}}(?=\\S)`, 'gu');
  return text.replaceAll(/\S+/g, (word) => (widthOf(word) > widestWord ? word.replaceAll(letters, '$&\u200B') : word));
}

/** About: capitals, m, w and what is no letter of a small alphabet are half as wide again. */
function widthOf(word: string): number {
  return Array.from(word).reduce((width, character) => width + (/[a-ln-vx-z.,:;'à-ÿ]/.test(character) ? 1 : 1.5), 0);
}
