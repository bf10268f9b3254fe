export { openEmbeddedStores, type EmbeddedStores } from './open-embedded-stores.ts';
