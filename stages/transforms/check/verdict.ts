/** Judges what the rules of a check have counted. */
import { type CheckCounts, type Fields, StageError } from '../../contract.ts';
import { type Options, rulesOf, type Severity } from './rules.ts';

/** Rows that fine-tuning for a task takes at the least, as practice has it. */
const SIZES: Readonly<Record<string, number>> = { faq: 1000, technical: 3000, reasoning: 10_000 };

export interface Judged {
  readonly rule: string;
  readonly severity: Severity;
  /** Rows that were the rule's business. */
  readonly seen: number;
  readonly broken: number;
  /** Of a rule with a `share`: that of the rows that keep it. */
  readonly share?: number;
  /** `unseen`: no row was its business, so it says nothing. */
  readonly result: 'passed' | 'warned' | 'failed' | 'unseen';
  /** Why it did not pass. */
  readonly why?: string;
}

const thousands = (n: number): string => String(n).replace(/\B(?=(\d{3})+$)/g, ',');
const rows = (n: number): string => `${thousands(n)} ${n === 1 ? 'row' : 'rows'}`;

/** A share that is not 0 or 100 % is not shown as such. */
const percent = (share: number): string => {
  const shown = (share * 100).toFixed(1);
  if (share > 0 && shown === '0.0') return '< 0.1 %';
  if (share < 1 && shown === '100.0') return '> 99.9 %';
  return `${shown.replace(/\.0$/, '')} %`;
};

const judged = (rule: string, severity: Severity, seen: number, broken: number, why: string | null): Judged => ({
  rule,
  severity,
  seen,
  broken,
  result: why === null ? 'passed' : severity === 'warn' ? 'warned' : 'failed',
  ...(why === null ? {} : { why }),
});

/** Rounding must not fail 0.99 of 100 rows. */
const SLACK = 1e-9;

export const judge = (counts: CheckCounts, options: Options): readonly Judged[] => {
  const out = rulesOf(options).map(({ name, severity, mostly, share }, i): Judged => {
    const { seen, broken } = counts.rules[i]!;
    if (seen === 0) return { rule: name, severity, seen, broken, result: 'unseen', why: 'no row was its business' };
    const kept = (seen - broken) / seen;
    if (share) {
      const { min = 0, max = 1 } = share;
      const within = kept >= min - SLACK && kept <= max + SLACK;
      const bounds = `${percent(min)} to ${percent(max)} are wanted`;
      return {
        ...judged(name, severity, seen, broken, within ? null : `${percent(kept)} of ${rows(seen)} keep it, ${bounds}`),
        share: Number(kept.toFixed(4)),
      };
    }
    const allowed = mostly < 1 ? `, ${percent(1 - mostly)} may` : '';
    const why =
      kept >= mostly - SLACK
        ? null
        : `${thousands(broken)} of ${rows(seen)} (${percent(broken / seen)}) break it${allowed}`;
    return judged(name, severity, seen, broken, why);
  });
  const { min, max, severity = 'error' } = options.rows ?? {};
  if (min !== undefined || max !== undefined) {
    const why =
      min !== undefined && counts.rows < min
        ? `${rows(counts.rows)}, at least ${thousands(min)} are wanted`
        : max !== undefined && counts.rows > max
          ? `${rows(counts.rows)}, at most ${thousands(max)} are wanted`
          : null;
    out.push(judged('number of rows', severity, counts.rows, why === null ? 0 : counts.rows, why));
  }
  if (options.task !== undefined) {
    const least = SIZES[options.task]!;
    const why =
      counts.rows < least ? `${rows(counts.rows)}, ${thousands(least)} are the least for this kind of task` : null;
    out.push(judged(`enough for ${options.task}`, 'warn', counts.rows, 0, why));
  }
  return out;
};

const of = (all: readonly Judged[], result: Judged['result']): number =>
  all.filter(one => one.result === result).length;

export const report = (counts: CheckCounts, options: Options): Fields => {
  const rules = judge(counts, options);
  const result =
    of(rules, 'failed') > 0 ? 'failed' : of(rules, 'warned') + of(rules, 'unseen') > 0 ? 'warned' : 'passed';
  return { rows: counts.rows, failing: counts.failing, result, rules: rules.map(rule => ({ ...rule })) };
};

const line = ({ rule, why }: Judged): string => `${rule}: ${why}`;

/** Throws `check-failed` with every rule that failed; warnings are of rules that only warn, or that saw no row. */
export const verdict = (counts: CheckCounts, options: Options): { note: string; warnings: readonly string[] } => {
  const rules = judge(counts, options);
  const failed = rules.filter(rule => rule.result === 'failed');
  if (failed.length > 0) {
    const others = rules.length - failed.length;
    throw new StageError(
      'check-failed',
      `${failed.length} of ${rules.length} rules ${failed.length === 1 ? 'is' : 'are'} broken:${failed.map(f => `\n  ${line(f)}`).join('')}` +
        (others > 0 ? `\n  ${others} ${others === 1 ? 'other is' : 'others are'} not` : ''),
    );
  }
  const parts = (['passed', 'warned', 'unseen'] as const)
    .map(result => [of(rules, result), result === 'unseen' ? 'saw no row' : result] as const)
    .filter(([n]) => n > 0)
    .map(([n, word]) => `${n} ${word}`);
  const failing = counts.failing > 0 ? `, ${rows(counts.failing)} failing` : '';
  return {
    note: `${rules.length} ${rules.length === 1 ? 'rule' : 'rules'}: ${parts.join(', ')}${failing}`,
    warnings: rules.filter(r => r.result === 'warned' || r.result === 'unseen').map(line),
  };
};
