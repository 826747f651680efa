import { expect, test } from 'vitest';
import { type Clock, Gate, type Limits, Unavailable } from '../../../stages/llm/gate.ts';

/** A clock that the test turns. */
const turned = () => {
  let now = 0;
  let timers: { at: number; call(): void }[] = [];
  const clock: Clock = {
    now: () => now,
    after: (ms, call) => {
      const timer = { at: now + ms, call };
      timers.push(timer);
      return () => {
        timers = timers.filter(t => t !== timer);
      };
    },
    random: () => 1,
  };
  const turn = async (ms: number): Promise<void> => {
    const end = now + ms;
    await settled();
    for (;;) {
      const next = timers.filter(t => t.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      timers = timers.filter(t => t !== next);
      now = Math.max(now, next.at);
      next.call();
      await settled();
    }
    now = end;
    await settled();
  };
  return { clock, turn };
};

const settled = () => new Promise<void>(resolve => setImmediate(resolve));

const open = (limits: Partial<Limits> = {}) => {
  const { clock, turn } = turned();
  const gate = new Gate(clock);
  const entered: number[] = [];
  const refused: string[] = [];
  const passes: { used(tokens: number): void; leave(): void }[] = [];
  const stop = new AbortController();
  const enter = (n: number, tokens = 1): void => {
    for (let i = 0; i < n; i++)
      gate.enter({ concurrency: 1000, ...limits }, tokens, stop.signal).then(
        pass => {
          entered.push(clock.now());
          passes.push(pass);
        },
        (error: Error) => refused.push(error instanceof Unavailable ? error.message : error.name),
      );
  };
  return { gate, turn, enter, entered, refused, passes, stop };
};

test('only so many are inside at a time, in the order in which they came', async () => {
  const { enter, entered, passes, turn } = open({ concurrency: 2 });
  enter(5);
  await turn(0);
  expect(entered.length).toBe(2);
  passes[0]!.leave();
  passes[0]!.leave();
  await turn(0);
  expect(entered.length).toBe(3);
});

test('no 60 seconds hold more requests than a minute may', async () => {
  const { enter, entered, passes, turn } = open({ requests_per_minute: 3 });
  enter(2);
  await turn(30_000);
  enter(5);
  await turn(200_000);
  expect(entered).toEqual([0, 0, 30_000, 60_000, 60_000, 90_000, 120_000]);
  expect(passes.length).toBe(7);
});

test('no 60 seconds hold more tokens than a minute may: estimated, then as counted', async () => {
  const { enter, entered, passes, turn } = open({ tokens_per_minute: 100 });
  enter(3, 50);
  await turn(0);
  expect(entered).toEqual([0, 0]);
  // It took less than was feared.
  passes[0]!.used(10);
  passes[0]!.leave();
  await turn(10);
  expect(entered.length).toBe(2);
  passes[1]!.used(40);
  passes[1]!.leave();
  await turn(10);
  expect(entered.length).toBe(3);
});

test('what is more than a whole minute goes alone', async () => {
  const { enter, entered, turn } = open({ tokens_per_minute: 100 });
  enter(1, 30);
  enter(1, 500);
  enter(1, 30);
  await turn(200_000);
  expect(entered).toEqual([0, 60_000, 120_000]);
});

test('while the server rests, nobody goes in', async () => {
  const { gate, enter, entered, turn } = open();
  gate.pause(5000);
  enter(2);
  await turn(4999);
  expect(entered).toEqual([]);
  await turn(1);
  expect(entered).toEqual([5000, 5000]);
});

test('after 25 failures in a row nobody is let in, and those who wait are sent away; later it is tried again', async () => {
  const { gate, enter, entered, refused, turn } = open({ concurrency: 1 });
  enter(3);
  await turn(0);
  for (let i = 0; i < 24; i++) gate.failed('no');
  gate.succeeded();
  for (let i = 0; i < 24; i++) gate.failed('no');
  await turn(0);
  expect(refused).toEqual([]);
  gate.failed('nobody listens there');
  enter(1);
  await turn(0);
  expect(entered.length).toBe(1);
  expect(refused).toEqual(
    new Array(3).fill('the server is left alone after 25 failures in a row: nobody listens there'),
  );
  await turn(30_000);
  enter(1);
  await turn(0);
  expect(refused.length).toBe(3);
});

test('where all that are under way fail, everybody waits, longer each time, before the server is given up', async () => {
  const { gate, enter, entered, refused, passes, turn } = open({ concurrency: 64 });
  for (let round = 1; round <= 5; round++) {
    enter(64);
    await turn(10_000);
    for (const pass of passes.splice(0)) {
      gate.failed('cut');
      pass.leave();
    }
    enter(1);
    await turn(0);
    // Still outside.
    expect(entered.length).toBe(round * 64 + round - 1);
  }
  expect(refused).toEqual(['the server is left alone after 320 failures in a row: cut']);
});

test('who gives up leaves the line, and those behind move up', async () => {
  const { enter, entered, refused, passes, stop, turn } = open({ concurrency: 1 });
  enter(3);
  await turn(0);
  stop.abort();
  await turn(0);
  expect(refused).toEqual(['AbortError', 'AbortError']);
  passes[0]!.leave();
  await turn(0);
  expect(entered.length).toBe(1);
});
