/** Text as it can be printed, and whether anything in it could not. */
export interface Printable {
  readonly text: string;
  readonly whole: boolean;
}

/** Longest run of characters without a place to break a line: a name of 200 letters still stays in its column. */
const longestWord = 18;

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
  return text.replaceAll(new RegExp(`\\S{${longestWord}}(?=\\S)`, 'g'), '$&\u200B');
}
