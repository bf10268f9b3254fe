import type { NewEvent } from '@netra/contract';
import type { TextKind, TextPart } from './conversation.ts';

export interface TextResumer {
  /** The events that a delta is worth: none while it repeats what readers have seen. */
  push(kind: TextKind, text: string): NewEvent[];
  /** The events that remain when the model is done. */
  end(): NewEvent[];
}

/**
 * Streams the text of a model call that is made a second time. What readers have seen already is skipped for as long
 * as the new text repeats it; when it differs, the text begins anew with `restarts`. So a deterministic model resumes
 * in the middle of a sentence, and another one never leaves two half answers that look like one.
 */
export function resumeText(shown: readonly TextPart[]): TextResumer {
  const said: TextPart[] = [];
  const before = shown.map((part) => ({ ...part }));
  let repeating = before.length > 0;
  const restart = (): NewEvent[] => {
    repeating = false;
    const first = before[0];
    // Nothing was said this time: what readers have seen is void all the same.
    if (said.length === 0 && first !== undefined) return [textEvent(first.kind, '', true)];
    return said.map((part, index) => textEvent(part.kind, part.text, index === 0));
  };
  return {
    push(kind, text) {
      const seen = repeating ? coveredBy(before, said, kind, text) : 0;
      append(said, kind, text);
      if (!repeating) return text === '' ? [] : [textEvent(kind, text, false)];
      if (seen === 'differs') return restart();
      if (seen === text.length) return [];
      repeating = false;
      return [textEvent(kind, text.slice(seen), false)];
    },
    end() {
      return repeating && length(said) < length(before) ? restart() : [];
    },
  };
}

/** How many leading characters of `text` readers have seen at this place, or that they saw something else. */
function coveredBy(before: TextPart[], said: TextPart[], kind: TextKind, text: string): number | 'differs' {
  const starts_part = said.at(-1)?.kind !== kind;
  const index = starts_part ? said.length : said.length - 1;
  const earlier = said.at(-1);
  // A part may only be left for the next when all of it was repeated.
  if (starts_part && earlier !== undefined && earlier.text !== before[index - 1]?.text) return 'differs';
  const part = before[index];
  if (part === undefined) return 0;
  if (part.kind !== kind) return 'differs';
  const offset = starts_part ? 0 : (earlier?.text.length ?? 0);
  const rest = part.text.slice(offset);
  if (rest.startsWith(text)) return text.length;
  const is_last = index === before.length - 1;
  return is_last && text.startsWith(rest) ? rest.length : 'differs';
}

function append(parts: TextPart[], kind: TextKind, text: string): void {
  const last = parts.at(-1);
  if (last?.kind === kind) last.text += text;
  else parts.push({ kind, text });
}

function length(parts: readonly TextPart[]): number {
  return parts.reduce((sum, part) => sum + part.text.length, 0);
}

function textEvent(kind: TextKind, text: string, restarts: boolean): NewEvent {
  return { type: kind, data: restarts ? { text, restarts: true } : { text } };
}
