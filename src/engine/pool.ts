/**
 * Worker threads, and processes for the user's stages: started when first needed, each doing one task or stream at a time,
 * killed when the build is given up.
 */
import type { Hears, Member as Worker } from './member.ts';
import { startProcess } from './process-member.ts';
import type { FromWorker, NodeJob, ToWorker, WorkerError } from './protocol.ts';
import { startThread } from './thread-member.ts';

export class WorkerFailure extends Error {
  readonly error: WorkerError;
  constructor(error: WorkerError) {
    super(error.message);
    this.error = error;
  }
}

type Asked = Extract<ToWorker, { type: 'task' | 'stream' }>;
/** Everything a running task says except how it ended. */
export type Told = Exclude<FromWorker, { type: 'done' | 'failed' }>;

interface Member {
  readonly worker: Worker;
  /** The only node that a process works for; null of a thread. */
  readonly owner: number | null;
  readonly open: Set<number>;
  busy: {
    readonly told: (message: Told, reply: (message: ToWorker) => void) => void;
    resolve(answer: unknown): void;
    reject(error: Error): void;
  } | null;
}

export class Pool {
  readonly size: number;
  readonly #members: Member[] = [];
  readonly #queue: (() => void)[] = [];
  #dead = false;

  constructor(size: number) {
    this.size = size;
  }

  /** Runs one task of an open node; resolves with its answer, rejects with WorkerFailure. */
  async run(
    job: NodeJob,
    task: Asked,
    told: (message: Told, reply: (message: ToWorker) => void) => void,
  ): Promise<unknown> {
    const member = await this.#free(job);
    if (!member.open.has(job.id)) {
      member.open.add(job.id);
      this.#send(member, { type: 'open', job });
    }
    return new Promise((resolve, reject) => {
      member.busy = { told, resolve, reject };
      this.#send(member, task);
    });
  }

  close(id: number): void {
    for (const member of [...this.#members]) {
      if (member.owner === id) {
        this.#leave(member);
        void member.worker.terminate();
      } else if (member.open.delete(id)) this.#send(member, { type: 'close', id });
    }
  }

  /** Ends all threads at once; whatever runs rejects. */
  async terminate(): Promise<void> {
    this.#dead = true;
    for (const wake of this.#queue.splice(0)) wake();
    const members = this.#members.splice(0);
    for (const m of members) m.busy?.reject(new WorkerFailure(INTERRUPTED));
    await Promise.all(members.map(m => m.worker.terminate()));
  }

  #send(member: Member, message: ToWorker): void {
    member.worker.post(message);
  }

  async #free(job: NodeJob): Promise<Member> {
    const owner = job.module.includes('#user') ? job.id : null;
    for (;;) {
      if (this.#dead) throw new WorkerFailure(INTERRUPTED);
      const idle =
        this.#members.find(m => m.busy === null && m.owner === owner) ??
        (this.#members.filter(m => m.busy).length < this.size ? this.#start(job, owner) : null);
      if (idle) {
        idle.busy = { told: () => {}, resolve: () => {}, reject: () => {} };
        // A worker at work keeps the process going until it has answered, or has died and said so.
        idle.worker.ref();
        return idle;
      }
      await new Promise<void>(resolve => this.#queue.push(resolve));
    }
  }

  #leave(member: Member): void {
    const at = this.#members.indexOf(member);
    if (at !== -1) this.#members.splice(at, 1);
  }

  #start(job: NodeJob, owner: number | null): Member {
    const end = () => {
      const { busy } = member;
      member.busy = null;
      member.worker.unref();
      this.#queue.shift()?.();
      return busy;
    };
    const hears: Hears = {
      message: (message: FromWorker) => {
        if (message.type === 'done') end()?.resolve(message.answer);
        else if (message.type === 'failed') end()?.reject(new WorkerFailure(message.error));
        else {
          member.busy?.told(message, reply => this.#send(member, reply));
          if (message.type === 'pieces') this.#send(member, { type: 'taken', pieces: message.pieces.length });
        }
      },
      lost: why => {
        this.#leave(member);
        end()?.reject(new WorkerFailure({ crash: true, reason: 'stage-crashed', message: why }));
      },
    };
    const worker = owner === null ? startThread(hears) : startProcess(job, hears);
    worker.unref();
    const member: Member = { worker, owner, open: new Set(), busy: null };
    this.#members.push(member);
    return member;
  }
}

const INTERRUPTED: WorkerError = { crash: false, reason: 'interrupted', message: 'interrupted' };
