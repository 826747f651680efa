/** JSON values of a stream, one a line: only one of them is in memory at a time. */
import { Trouble } from '../trouble.ts';

/** Throws Trouble for a line that is no JSON, or longer than `most` bytes. */
export async function* jsonLines(stream: AsyncIterable<Buffer>, most: number): AsyncGenerator<unknown> {
  let parts: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    let from = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
      const line = Buffer.concat([...parts, chunk.subarray(from, end)]);
      parts = [];
      bytes = 0;
      from = end + 1;
      yield* values(line);
    }
    const rest = chunk.subarray(from);
    if ((bytes += rest.length) > most) throw new Trouble('transient', 'Bright Data sent a line that does not end');
    if (rest.length > 0) parts.push(rest);
  }
  yield* values(Buffer.concat(parts));
}

function* values(line: Buffer): Generator<unknown> {
  const text = line.toString().trim();
  if (text === '') return;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Trouble('transient', 'Bright Data answered what is no JSON');
  }
  // A snapshot of JSON, where it was not asked for in lines.
  if (Array.isArray(value)) yield* value;
  else if (typeof value === 'object' && value !== null) yield value;
}
