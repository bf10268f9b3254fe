import { z } from 'zod';

// Names, attributes and defaults are Toxiproxy's: https://github.com/Shopify/toxiproxy#toxics
const ms = z.number().min(0).max(3_600_000).default(0);
const common = {
  name: z.string().min(1).optional(),
  stream: z.enum(['upstream', 'downstream']).default('downstream'),
  /** The share of connections that it touches. */
  toxicity: z.number().min(0).max(1).default(1),
};
const whole = z.number().int().min(0).default(0);

const newToxic = z.discriminatedUnion('type', [
  z.object({ ...common, type: z.literal('latency'), attributes: z.object({ latency: ms, jitter: ms }).prefault({}) }),
  /** Kilobytes a second. */
  z.object({
    ...common,
    type: z.literal('bandwidth'),
    attributes: z.object({ rate: z.number().min(0).default(0) }).prefault({}),
  }),
  z.object({ ...common, type: z.literal('slow_close'), attributes: z.object({ delay: ms }).prefault({}) }),
  /** Nothing gets through; 0 = until the toxic is removed, else the connection is closed after so long. */
  z.object({ ...common, type: z.literal('timeout'), attributes: z.object({ timeout: ms }).prefault({}) }),
  z.object({ ...common, type: z.literal('reset_peer'), attributes: z.object({ timeout: ms }).prefault({}) }),
  /** `delay` in microseconds. */
  z.object({
    ...common,
    type: z.literal('slicer'),
    attributes: z.object({ average_size: whole, size_variation: whole, delay: ms }).prefault({}),
  }),
  z.object({ ...common, type: z.literal('limit_data'), attributes: z.object({ bytes: whole }).prefault({}) }),
]);

/** A fault on one direction of a proxy's connections. */
export type Toxic = z.output<typeof newToxic> & { readonly name: string };
export type ToxicType = Toxic['type'];
export type ToxicOf<Type extends ToxicType> = Extract<Toxic, { type: Type }>;

/** Throws a ZodError that names what is wrong. */
export function parseToxic(body: unknown): Toxic {
  const toxic = newToxic.parse(body);
  return { ...toxic, name: toxic.name ?? `${toxic.type}_${toxic.stream}` };
}
