/** What a build that finds nothing to do has to say, as it was kept from one that found nothing. */
import { readStill } from '../../../cache/still.ts';
import type { BuildEvent, Emit, NodeSummary } from '../../events.ts';
import type { Question } from './question.ts';

export interface Answer {
  readonly build: Omit<Extract<BuildEvent, { type: 'build' }>, 'jobs'>;
  /** Warnings of cached nodes are told each time. */
  readonly told: readonly BuildEvent[];
  readonly nodes: readonly NodeSummary[];
  /** Environment variables whose values no view may show. */
  readonly secrets: readonly string[];
}

/** Null when it has to be found out. */
export const answerTo = (question: Question): Answer | null => {
  const text = readStill(question.file, question.text);
  return text === null ? null : (JSON.parse(text) as Answer);
};

/** Tells it event by event, as the build would. `begun` on the clock of `performance.now`. */
export const tell = ({ build, told, nodes }: Answer, jobs: number, begun: number, emit: Emit): void => {
  emit({ ...build, jobs });
  for (const event of told) emit(event);
  emit({ type: 'summary', ok: true, seconds: Math.round(performance.now() - begun) / 1000, nodes });
};
