export * from './database.ts';
export * from './eventually.ts';
export * from './header.ts';
export * from './stores.ts';
export * from './suite.ts';
