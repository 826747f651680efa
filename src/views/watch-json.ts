/** `watch --json`: the events of each build with the build's number, and between them what `watch` itself has to say. */
import type { BuildEvent, WatchEvent } from '../events.ts';
import { openJson, toLine } from './json.ts';
import { openSink } from './sink.ts';
import type { View, ViewStreams } from './view.ts';
import type { WatchView } from './watch.ts';

export const openWatchJson = ({ stdout }: Pick<ViewStreams, 'stdout'>): WatchView => {
  const sink = openSink(stdout);
  const builds = new Map<number, View>();
  const inBuild = (event: BuildEvent, build: number): void => {
    const view = builds.get(build) ?? openJson({ stdout }, { build });
    builds.set(build, view);
    view.emit(event);
    if (event.type === 'summary') builds.delete(build);
  };
  return {
    tell: (event: BuildEvent | WatchEvent, build) => {
      if (event.type === 'watch') sink.write(toLine(event));
      else inBuild(event, build ?? 0);
    },
    close: () => sink.drained(),
  };
};
