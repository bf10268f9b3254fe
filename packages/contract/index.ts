export * from './errors.ts';
export * from './events.ts';
export * from './frames.ts';
export * from './grammar.ts';
export * from './rest.ts';
export * from './server-frame.ts';
export * from './spending.ts';
export * from './subscription.ts';
