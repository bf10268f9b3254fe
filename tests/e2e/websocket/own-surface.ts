import type { Suite } from '@netra/testkit';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { admitRun } from '../../../server/agents/index.ts';
import type { House } from '../../../server/main/compose.ts';
import * as plans from '../../../server/plans/index.ts';
import { giveApproval, requestCancel, tailRun } from '../../../server/runs/index.ts';
import { attachWebSocket, type Limits, type WebSocketSurface } from '../../../server/ws/index.ts';

/** The socket surface of one node, in this process. */
export interface Surface {
  readonly ws: string;
  readonly url: string;
  metric(name: string): Promise<number>;
}

/** A surface with its own limits, on a server of its own; and what its metrics say. Ends with the suite. */
export async function openSurface(own: Suite, house: House, limits: Partial<Limits>): Promise<Surface> {
  const { platform, accounts } = house;
  platform.metrics.clear();
  const server: Server = createServer();
  const surface: WebSocketSurface = attachWebSocket({
    server,
    platform,
    accounts,
    plans,
    rooms: { admitRun, tailRun, requestCancel, giveApproval },
    origins: [],
    limits: { sweep_ms: 50, ...limits },
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  own.onEnd(async () => {
    await surface.close(100);
    server.close();
  });
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    ws: `ws://${host}/v1/ws`,
    url: `http://${host}`,
    metric: async (name) => {
      const [value] = (await platform.metrics.getMetricsAsJSON()).filter((metric) => metric.name === name);
      return value?.values[0]?.value ?? Number.NaN;
    },
  };
}
