import type { WebSocketClass } from '@netra/client';
import { WebSocket } from 'ws';

/** Where a connection is to be cut: before the client has seen the event (`lost`), or right after. */
export interface Cut {
  readonly seq: number;
  readonly when: 'lost' | 'seen';
}

/**
 * A WebSocket class whose connections break at the given events, each once, as a dead network breaks them: no close
 * frame. `cuts` shrinks as they happen. Each connection goes to the next of `nodes`, as behind a balancer.
 */
export function cuttingSocket(cuts: Cut[], nodes: readonly { readonly ws: string }[]): WebSocketClass {
  let opened = 0;
  return class CuttingSocket extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(nodes[opened % nodes.length]?.ws ?? url, protocols);
      opened += 1;
    }

    override emit(event: string | symbol, ...args: unknown[]): boolean {
      if (event !== 'message') return super.emit(event, ...args);
      // After a cut, what was still in the buffer would never have come.
      if (this.readyState !== WebSocket.OPEN) return false;
      const seq = seqOf(args[0] as Buffer);
      const index = cuts.findIndex((cut) => cut.seq === seq);
      if (index < 0) return super.emit(event, ...args);
      const [cut] = cuts.splice(index, 1);
      if (cut?.when === 'seen') super.emit(event, ...args);
      this.terminate();
      return true;
    }
  };
}

function seqOf(data: Buffer): number | undefined {
  const frame = JSON.parse(data.toString()) as { seq?: number; data?: unknown };
  return frame.data === undefined ? undefined : frame.seq;
}
