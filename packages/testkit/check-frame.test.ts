import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { checkFrame } from './check-frame.ts';

// Planted bug that turns it red: return before validating.
describe('checkFrame', () => {
  const run = randomUUID();
  const live = { type: 'live', run, seq: 3 };

  it('lets pass what the document says', () => {
    expect(() => checkFrame('fromServer', live)).not.toThrow();
    expect(() => checkFrame('fromClient', { type: 'hello', token: 'x' } as never)).not.toThrow();
  });

  it('refuses a frame with too much, too little or of the wrong kind, and says where', () => {
    expect(() => checkFrame('fromServer', { ...live, more: 1 } as never)).toThrow(/additional properties/);
    expect(() => checkFrame('fromServer', { type: 'live', run } as never)).toThrow(/seq/);
    expect(() => checkFrame('fromServer', { ...live, seq: '3' } as never)).toThrow('/seq');
  });

  it('refuses a frame that goes the wrong way, and one that nobody knows', () => {
    expect(() => checkFrame('fromClient', live)).toThrow("no frame 'live'");
    expect(() => checkFrame('fromServer', { type: 'gossip' })).toThrow("no frame 'gossip'");
  });
});
