import { oneRow, type Platform } from '../platform/index.ts';
import { forgetDeliveriesStatement } from './sql/deliveries.ts';

const deliveryDays = 30;
/** Longer than any repeat of the transaction that wrote it: the event's key is what lets it happen once. */
const eventDays = 400;

/** For a schedule: drops what ended long ago, at most about `limit` rows of each. Returns how many it was. */
export async function forgetDeliveries({ platform, limit }: { platform: Platform; limit: number }): Promise<number> {
  const statement = forgetDeliveriesStatement(deliveryDays, eventDays, limit);
  return oneRow(await platform.postgres.call<{ rows: number }>(statement)).rows;
}
