/** A number of up to 13 digits; undefined for any other text. Four columns of each row are asked: a pattern is slower. */
export function plainNumber(text: string): number | undefined {
  if (text.length === 0 || text.length > 13) return undefined;
  let number = 0;
  for (let place = 0; place < text.length; place += 1) {
    const digit = text.charCodeAt(place) - 48;
    if (!(digit >= 0 && digit <= 9)) return undefined;
    number = number * 10 + digit;
  }
  return number;
}
