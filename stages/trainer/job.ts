/** The trainer contract in types: the job a backend is given and the events it answers with (schemas/job.json, trainer-event.json). */
import type { LoraOptions } from '../../schemas/types.ts';

/** Tokenised rows on disk: safetensors shards of `offsets` int64 [rows+1], `input_ids` int32, `loss_mask` uint8. */
export interface TokenFiles {
  readonly shards: readonly string[];
  /** Text file with the id of each row as one JSON string a line: only read to name rows in messages. */
  readonly ids: string;
}

/** What a backend has to know of the stage's options; `warmup` is in steps here. */
export type TrainOptions = Omit<LoraOptions, 'backend' | 'dropout' | 'steps' | 'epochs' | 'batch'> & {
  /** Only where the backend knows it. */
  readonly dropout?: number;
};

interface JobBase {
  readonly version: 1;
  /** Model folder. */
  readonly model: string;
  /** Adapter folder: to continue (train), to compare with the base (loss, generate). */
  readonly adapter: string | null;
  readonly threads: number;
  /** Existing folder that receives the results. */
  readonly output: string;
}

export interface TrainJob extends JobBase {
  readonly task: 'train';
  /** Existing folder for checkpoints; what a killed run left there is continued. */
  readonly checkpoint: string;
  readonly train: TokenFiles;
  readonly eval: TokenFiles | null;
  /** Rows of each optimiser step, in order. */
  readonly steps: readonly (readonly number[])[];
  readonly options: TrainOptions;
}

export interface LossJob extends JobBase {
  readonly task: 'loss';
  readonly adapter: string;
  readonly rows: TokenFiles;
}

export interface GenerateOptions {
  readonly max_tokens: number;
  /** 0 is greedy. */
  readonly temperature: number;
  readonly top_p: number;
  readonly repetition_penalty: number;
  readonly seed: number;
}

export interface GenerateJob extends JobBase {
  readonly task: 'generate';
  /** Token ids of each prompt; each is answered by the base and, with an adapter, by the tuned model. */
  readonly prompts: readonly (readonly number[])[];
  /** Ids that end an answer, besides the model's own. */
  readonly stop: readonly number[];
  readonly options: GenerateOptions;
}

export type Job = TrainJob | LossJob | GenerateJob;

/** Mean loss over `tokens` trained tokens of `rows` rows, in nats. */
export interface Measured {
  readonly loss: number;
  readonly tokens: number;
  readonly rows: number;
}

export type TrainerEvent =
  | { readonly type: 'start'; readonly task: Job['task']; readonly parameters: number; readonly trainable: number }
  /** Nothing of an earlier run is lost: training goes on after this step. */
  | { readonly type: 'resume'; readonly step: number }
  | {
      readonly type: 'step';
      readonly step: number;
      readonly steps: number;
      readonly loss: number;
      readonly lr: number;
      /** Of this step: all its tokens, and those that carry loss. */
      readonly tokens: number;
      readonly trained_tokens: number;
      readonly grad_norm: number;
      /** Resident bytes of the process. */
      readonly memory: number;
      /** Since the start of the process. */
      readonly seconds: number;
    }
  | ({ readonly type: 'eval'; readonly step: number } & Measured)
  | { readonly type: 'checkpoint'; readonly step: number }
  | { readonly type: 'progress'; readonly done: number; readonly total: number; readonly unit: string }
  | { readonly type: 'log' | 'warn'; readonly message: string }
  /** A signal or the parent's end stopped it; what was done is saved. */
  | { readonly type: 'interrupted' }
  | { readonly type: 'error'; readonly reason: string; readonly message: string; readonly advice?: string }
  | { readonly type: 'done'; readonly seconds: number };

/** `summary.json` of a training. */
export interface TrainSummary {
  readonly steps: number;
  readonly rows: number;
  readonly tokens: number;
  readonly trained_tokens: number;
  /** Mean over all trained tokens of all steps. */
  readonly train_loss: number;
  /** Of the last step. */
  readonly final_loss: number;
  readonly eval: { readonly before: Measured; readonly after: Measured } | null;
  readonly seconds: number;
}

/** `summary.json` of a loss task. */
export interface LossSummary {
  readonly base: Measured;
  readonly tuned: Measured;
}

/** A line of `answers.jsonl`: token ids, without the prompt; `stopped` is the id that ended it, or null at the limit. */
export interface Answer {
  readonly prompt: number;
  readonly model: 'base' | 'tuned';
  readonly ids: readonly number[];
  readonly stopped: number | null;
}
