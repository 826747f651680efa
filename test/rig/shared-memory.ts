/** A temporary folder in memory where there is one (Linux): tests that make thousands of stores do not wait for a disk. */
import { existsSync, mkdtempSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

export const shared = (): string => realpathSync(mkdtempSync(join(root, 'finetune-test-')));
