import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeEvent, isStorable, storable } from './encode-event.ts';

// Planted bug that turns it red: a search for `\u0000` that also finds the six characters of an escaped backslash.
test('text goes through unchanged unless jsonb cannot hold it, and then only those characters change', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const { event, json } = encodeEvent({ type: 'agent_message', data: { text } });
      const kept = text.toWellFormed().replaceAll('\u0000', '\ufffd');
      expect(event.data).toEqual({ text: kept });
      expect(JSON.parse(json)).toEqual(['agent_message', { text: kept }]);
      expect(isStorable(text)).toBe(kept === text);
    }),
  );
  expect(isStorable('\\u0000 and \\\\ud800')).toBe(true);
  expect(isStorable({ a: ['\\\u0000'] })).toBe(false);
  expect(isStorable('\ud800')).toBe(false);
});

test('names of members are made storable too', () => {
  expect(storable({ 'a\u0000': ['\ud800', 1n === 1n, null] })).toEqual({ 'a\ufffd': ['\ufffd', true, null] });
});

// Planted bug that turns it red: a limit on characters instead of bytes.
test('data over 256 KiB is refused, counted in bytes', () => {
  const text = 'é'.repeat(130 * 1024);
  expect(() => encodeEvent({ type: 'agent_message', data: { text } })).toThrow('over 256 KiB');
  expect(encodeEvent({ type: 'agent_message', data: { text: 'e'.repeat(130 * 1024) } }).json).toContain('eee');
});
