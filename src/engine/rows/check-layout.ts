/** How findings of rules lie in a row's sketch: a byte a rule, then the hash of a key for each rule that compares rows. */
import type { CheckStage, Finding } from '../../../stages/contract.ts';
import { hashText } from '../hash-table.ts';

/** A rule's byte: nothing to say, kept, broken; a rule that compares rows says only whether it has a key. */
export const SILENT = 0;
export const KEPT = 1;
export const BROKEN = 2;

const KEY = 16;

export interface CheckLayout {
  readonly rules: readonly { readonly compares: boolean; readonly marks: boolean }[];
  /** By rule, where its key's hash begins; -1 for a rule that compares nothing. */
  readonly keys: readonly number[];
  /** Bytes a row: a multiple of four, so that hashes can be read as words. */
  readonly width: number;
}

export const layoutOf = (rules: ReturnType<CheckStage['rules']>): CheckLayout => {
  let width = Math.ceil(rules.length / 4) * 4;
  const keys = rules.map(({ compares }) => {
    if (!compares) return -1;
    width += KEY;
    return width - KEY;
  });
  return { rules, keys, width };
};

export const writeFindings = ({ keys, width }: CheckLayout, findings: readonly Finding[]): Uint8Array => {
  const bytes = new Uint8Array(width);
  for (const [i, finding] of findings.entries()) {
    if (finding === null) continue;
    bytes[i] = typeof finding === 'string' ? BROKEN : KEPT;
    if (typeof finding === 'object') bytes.set(hashText(finding.key).subarray(0, KEY), keys[i]!);
  }
  return bytes;
};
