import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JudgedGuarantee } from './contract-table.ts';
import type { TestFile } from './find-test-files.ts';
import type { Verdict } from './judge-run.ts';
import type { FileOutcome, TestOutcome } from './results.ts';
import type { VitestRun } from './run-vitest.ts';

const style = `
  body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; color: #1b1f24; }
  table { border-collapse: collapse; width: 100%; margin: 0 0 2rem; }
  td, th { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #e3e6ea; vertical-align: top; }
  .passed, .proved { color: #17692f; } .failed, .no { color: #b3261e; font-weight: 600; } .skipped, .open { color: #8a5a00; }
  pre { white-space: pre-wrap; background: #f6f7f9; padding: .75rem; } td.time { text-align: right; white-space: nowrap; }`;

/** Writes report.html, one page that needs nothing else, and results.json. */
export function writeHtmlReport(options: {
  readonly folder: string;
  readonly run: VitestRun;
  readonly files: readonly TestFile[];
  readonly verdict: Verdict;
  readonly guarantees: readonly JudgedGuarantee[];
}): void {
  const { folder, run, files, verdict, guarantees } = options;
  const categoryByPath = new Map(files.map((file) => [file.path, file.category]));
  const sections = (run.outcome?.files ?? []).map((file) => fileSection(file, categoryByPath.get(file.path) ?? ''));
  const page = [
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Netra tests</title>',
    `<style>${style}</style><h1>Netra tests</h1>`,
    `<p>${verdict.passed} passed, ${verdict.failed} failed, ${verdict.skipped} skipped</p>`,
    ...verdict.defects.map((defect) => `<pre class="failed">${escapeHtml(defect)}</pre>`),
    guarantees.length > 0 ? contractSection(guarantees) : '',
    ...sections,
    '</html>',
  ];
  writeFileSync(join(folder, 'report.html'), page.join('\n'));
  writeFileSync(join(folder, 'results.json'), JSON.stringify({ verdict, outcome: run.outcome, guarantees }, null, 2));
}

function contractSection(guarantees: readonly JudgedGuarantee[]): string {
  const rows = guarantees.map(
    (one) =>
      `<tr><td>${one.guarantee.id}<td>${escapeHtml(one.guarantee.title)}<td>${one.tests}` +
      `<td class="${one.verdict}">${one.verdict}`,
  );
  return `<h2>Contract</h2><table><tr><th>id<th>guarantee<th>tests<th>verdict${rows.join('')}</table>`;
}

function fileSection(file: FileOutcome, category: string): string {
  const errors = file.errors.map((error) => `<pre class="failed">${escapeHtml(error)}</pre>`).join('');
  const rows = file.tests.map(testRow).join('');
  return `<h2>${escapeHtml(file.path)} <small>${category}</small></h2>${errors}<table>${rows}</table>`;
}

function testRow(test: TestOutcome): string {
  const errors = test.errors.map((error) => `<pre>${escapeHtml(error)}</pre>`).join('');
  return (
    `<tr><td class="${test.state}">${test.state}<td>${escapeHtml(test.titles.join(' › '))}${errors}` +
    `<td class="time">${test.duration_ms.toFixed(0)} ms`
  );
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
