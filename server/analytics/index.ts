/** ClickHouse: usage goes in by file and by outbox; questions about it come back with the query that answers them. */
export * from './find-waste.ts';
export * from './read-usage.ts';
export * from './schemas.ts';
