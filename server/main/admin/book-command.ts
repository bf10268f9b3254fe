import type { AdminCommand } from '../admin.ts';
import { wrongUsage } from './print.ts';

/** The verbs of a dated book; each prints, and resolves to the exit code. */
interface Book<Values> {
  readonly usage: readonly string[];
  parse(args: readonly string[]): { readonly values: Values; readonly positionals: readonly string[] };
  list(values: Values): Promise<number>;
  show(values: Values, name: string): Promise<number>;
  importFile(values: Values, path: string): Promise<number>;
  retire(values: Values, name: string): Promise<number>;
}

/** `list`, `show NAME`, `import FILE` and `retire NAME`: how every book that an operator edits is spoken to. */
export function bookCommand<Values>(book: Book<Values>): AdminCommand {
  const command: AdminCommand = {
    usage: book.usage,
    async run(args) {
      const { values, positionals } = book.parse(args);
      const [verb, name, ...more] = positionals;
      if (more.length > 0) throw wrongUsage(command);
      if (verb === 'list' && name === undefined) return book.list(values);
      if (verb === 'show' && name !== undefined) return book.show(values, name);
      if (verb === 'import' && name !== undefined) return book.importFile(values, name);
      if (verb === 'retire' && name !== undefined) return book.retire(values, name);
      throw wrongUsage(command);
    },
  };
  return command;
}
