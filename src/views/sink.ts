/** A stream that may go away: a reader that closes its pipe (`| head`) ends the output, never the build. */

export type OutStream = NodeJS.WritableStream & {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
};

export interface Sink {
  readonly broken: boolean;
  write(text: string): void;
  /** Resolves when all that was written has been handed on, or the stream is broken. */
  drained(): Promise<void>;
}

const open = new WeakMap<OutStream, Sink>();

/** The same sink each time for one stream: `watch` opens a view for every build. */
export const openSink = (stream: OutStream): Sink => {
  let sink = open.get(stream);
  if (!sink) open.set(stream, (sink = newSink(stream)));
  return sink;
};

const newSink = (stream: OutStream): Sink => {
  let broken = false;
  const gone = (): void => {
    broken = true;
  };
  // Stays for the life of the stream: EPIPE may arrive after the last write.
  stream.on('error', gone);
  return {
    get broken() {
      return broken;
    },
    write: text => {
      if (!broken && stream.writable) stream.write(text);
    },
    drained: () =>
      new Promise(resolve => {
        if (broken || !stream.writable) return resolve();
        stream.once('error', () => resolve());
        stream.write('', () => resolve());
      }),
  };
};
