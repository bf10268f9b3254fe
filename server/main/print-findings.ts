import type { Fault } from '../platform/index.ts';
import { isHealthy, type Finding } from './examine.ts';

/** Lines of breaches that are printed for people; --json has all. */
const maxLines = 50;

export function findingsAsJson(findings: readonly Finding[]): string {
  const plain = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? value.toString() : value);
  return `${JSON.stringify({ type: 'doctor', healthy: isHealthy(findings), findings }, plain)}\n`;
}

export function findingsAsText(findings: readonly Finding[]): string {
  return `${findings.flatMap(linesOf).join('\n')}\n`;
}

function linesOf(finding: Finding): readonly string[] {
  const { invariants, breaches, faults } = finding;
  const more = breaches.length - maxLines;
  return [
    `${isHealthy([finding]) ? 'ok    ' : 'BREACH'} ${invariants}`,
    ...breaches.slice(0, maxLines).map((breach) => `       ${words({ ...breach })}`),
    ...(more > 0 ? [`       … and ${more} more`] : []),
    ...faults.flatMap(explanation),
  ];
}

function explanation(fault: Fault): readonly string[] {
  const others = fault.of > 1 ? ` (one of ${fault.of})` : '';
  return [
    '',
    `       ${fault.invariant} ${fault.fault}${others}`,
    `         row       ${fault.place} ${words(fault.key)}`,
    `         since     ${fault.since === null ? 'no row tells' : fault.since.toISOString()}`,
    `         expected  ${fault.expected}`,
    `         found     ${fault.found}`,
    `         means     ${fault.means}`,
    `         mend      ${fault.mend}`,
  ];
}

function words(values: Readonly<Record<string, unknown>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(' ');
}
