export { openEmbeddedStores, type EmbeddedStores, type EmbeddedStoresOptions } from './open-embedded-stores.ts';
