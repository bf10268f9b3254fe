import { NetraError } from '@netra/contract';

/** What is wrong with a file of the agents folder, and where in it. */
export interface FileProblem {
  readonly file: string;
  /** `tools[1].effects`; empty = the file as a whole. */
  readonly field: string;
  readonly problem: string;
}

/** One error for all that is wrong, so that nobody mends a folder boot by boot. */
export function refuseFolder(dir: string, problems: readonly FileProblem[]): NetraError {
  const lines = problems.map(({ file, field, problem }) => `  ${file}${field === '' ? '' : `: ${field}`}: ${problem}`);
  return new NetraError('config_invalid', `The agents in ${dir} are not valid:\n${lines.join('\n')}`, { problems });
}

/** `tools[1].effects` of ['tools', 1, 'definition', 'effects']: as its author wrote it. */
export function fieldOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (part === 'definition') return text;
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');
}
