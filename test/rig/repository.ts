/** Makes a test's project a git repository, and commits in it. */
import { execFileSync } from 'node:child_process';
import type { Project } from './project.ts';

/** Fixed names and times: commits of equal trees are equal. */
const ENV = {
  GIT_AUTHOR_NAME: 'Ada',
  GIT_AUTHOR_EMAIL: 'ada@example.com',
  GIT_AUTHOR_DATE: '2026-01-02T03:04:05Z',
  GIT_COMMITTER_NAME: 'Ada',
  GIT_COMMITTER_EMAIL: 'ada@example.com',
  GIT_COMMITTER_DATE: '2026-01-02T03:04:05Z',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
};

/** Output of a git command in the project. */
export const git = (project: Project, ...args: string[]): string =>
  execFileSync('git', args, { cwd: project.folder, env: { ...process.env, ...ENV }, encoding: 'utf8' });

/** A repository on the branch `main`, with what is there committed; `.finetune/` is ignored. */
export const commitAll = (project: Project, message: string): void => {
  if (!project.has('.git')) git(project, 'init', '-q', '-b', 'main');
  if (!project.has('.gitignore')) project.write({ '.gitignore': '.finetune/\nout/\n' });
  git(project, 'add', '-A');
  git(project, 'commit', '-q', '-m', message);
};
