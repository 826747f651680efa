"""The training loop: read the step's rows, run the model, clip, update, report, save. Reads top to bottom."""

import hashlib
import json
import resource
from dataclasses import asdict, replace
from pathlib import Path

import torch

from adapter import read_shape, read_weights, write_adapter
from checkpoint import Progress, load_checkpoint, save_checkpoint, sync
from config import read_config
from decoder import Decoder
from device import choose
from evaluate import evaluate
from events import Process, seconds
from failure import Failure, Interrupted
from fp8 import check_device
from job import Options, TrainJob
from lora import Factors, LoraShape
from memory import most_tokens
from optimiser import AdamW, learning_rate
from step import checked_sum, run_step
from tokens import TokenRows
from weights import Weights


def train(job: TrainJob, process: Process) -> None:
    """Runs or continues a training. Raises `Interrupted` after it has saved, `Failure` for expected trouble."""
    options = job.options
    device, dtype = choose(job.threads, options.precision, options.deterministic)
    config = read_config(job.model)
    weights = Weights(job.model)
    weights.check(config)
    shape = LoraShape(options.r, options.alpha, options.rslora, tuple(options.targets))
    factors = Factors(config, shape, device, dtype)
    restart = _starting_weights(job, factors, config)
    rows = TokenRows(job.train, config)
    held = TokenRows(job.eval, config) if job.eval else None
    decoder = Decoder(config, weights, factors, device, dtype)
    decoder.checkpointing = options.checkpointing
    decoder.bind(options.dropout)
    if options.fp8:
        _round_experts(decoder, options, device)
    process.emit("start", task="train", parameters=decoder.parameters, trainable=factors.weights.numel())

    adam = AdamW(factors, options)
    metrics = job.checkpoint / "metrics.jsonl"
    fingerprint = _fingerprint(job, config)
    at = load_checkpoint(job.checkpoint, fingerprint, factors, adam)
    if at is None or at.step > 0 and (not metrics.exists() or metrics.stat().st_size < at.metrics_length):
        restart()
        adam.mean.zero_(), adam.square.zero_()
        at = Progress()
    with open(metrics, "ab") as lines:
        lines.truncate(at.metrics_length)
    if at.step > 0:
        process.emit("resume", step=at.step)
    factors.refresh()

    fits = most_tokens(config, options.checkpointing, 2 * shape.r * len(shape.targets), dtype, device)
    # A continued training cuts its steps as before, so that sums round as before.
    capacity = min(at.capacity or fits, fits)
    if device.type == "cuda":
        process.emit("log", message=f"at most {capacity} tokens in one run of the model")

    def record(line: dict) -> None:
        nonlocal at
        text = f"{json.dumps(line)}\n".encode()
        with open(metrics, "ab") as file:
            file.write(text)
        at = replace(at, metrics_length=at.metrics_length + len(text))

    def save() -> None:
        # First what the checkpoint refers to, then the checkpoint.
        sync(metrics)
        save_checkpoint(job.checkpoint, fingerprint, factors, adam, at)
        process.emit("checkpoint", step=at.step)

    def measure() -> dict:
        nonlocal at
        result = evaluate(held, decoder, [lambda: None], capacity, process)[0]
        process.emit("eval", step=at.step, **result)
        at = replace(at, eval_step=at.step)
        record({"step": at.step, "eval_loss": result["loss"]})
        return result

    try:
        if held and at.eval_before is None:
            before = measure()
            at = replace(at, eval_before=before)
        total = len(job.steps)
        while at.step < total:
            process.check_interrupt()
            # At the start of a step, so that a training stopped in a measurement makes it again.
            if held and at.step > at.eval_step and options.eval_steps > 0 and at.step % options.eval_steps == 0:
                measure()
            documents = [rows.read(row) for row in job.steps[at.step]]
            trained = sum(d.trained for d in documents)
            tokens = sum(len(d.ids) for d in documents)
            losses, capacity = run_step(decoder, documents, at.step, capacity, options, process)
            factors.gradient.mul_(1 / trained)
            lr = learning_rate(options, at.step, total)
            norm = adam.step(lr, at.step + 1)
            factors.refresh()
            loss = checked_sum(losses, norm, at.step + 1, rows) / trained
            at = replace(
                at,
                step=at.step + 1,
                rows=at.rows + len(documents),
                tokens=at.tokens + tokens,
                trained_tokens=at.trained_tokens + trained,
                loss_sum=at.loss_sum + loss * trained,
                last_loss=loss,
                capacity=capacity,
            )
            if at.step % options.log_steps == 0 or at.step == total:
                line = {
                    "step": at.step,
                    "loss": loss,
                    "lr": lr,
                    "tokens": tokens,
                    "trained_tokens": trained,
                    "grad_norm": norm.item(),
                }
                record(line)
                process.emit("step", steps=total, **line, memory=_memory(device), seconds=seconds())
            if options.save_steps > 0 and at.step % options.save_steps == 0:
                save()
    except Interrupted:
        save()
        raise

    untrained = factors.untrained()
    if untrained:
        raise Failure(
            "no-effect", f"after training, {untrained[0]}.lora_B is still zero: this matrix has not been trained"
        )
    save()
    after = measure() if held else None
    write_adapter(job.output / "adapter", config, factors, options.dropout)
    (job.output / "metrics.jsonl").write_bytes(metrics.read_bytes())
    summary = {
        "steps": at.step,
        "rows": at.rows,
        "tokens": at.tokens,
        "trained_tokens": at.trained_tokens,
        "train_loss": at.loss_sum / at.trained_tokens,
        "final_loss": at.last_loss,
        "eval": {"before": at.eval_before, "after": after} if after else None,
        "seconds": seconds(),
    }
    (job.output / "summary.json").write_text(f"{json.dumps(summary, indent=2)}\n")


def _round_experts(decoder: Decoder, options: Options, device: torch.device) -> None:
    check_device(device)
    if not decoder.config.experts or {"gate_up_proj", "down_proj"} & set(options.targets):
        what = "fp8 rounds frozen experts: the model must have experts, and targets must not name them"
        raise Failure("bad-option", what, "Leave fp8 out, or train the attention only.")
    decoder.round_experts()


def _starting_weights(job: TrainJob, factors: Factors, config):
    """A fresh start, or the adapter to continue, which must be of the shape asked for; returns what sets it."""
    if job.adapter is None:
        return lambda: factors.start(job.options.seed)
    found, asked = read_shape(job.adapter, config), factors.shape
    if (found.r, found.alpha, found.rslora, set(found.targets)) != (
        asked.r,
        asked.alpha,
        asked.rslora,
        set(asked.targets),
    ):
        what = f"the adapter to continue has r {found.r}, alpha {found.alpha}, rslora {found.rslora}, targets {', '.join(found.targets)}"
        raise Failure("bad-adapter", what, "Give the trainer the same r, alpha, rslora and targets.")
    weights = read_weights(job.adapter, factors)
    return lambda: factors.weights.copy_(weights)


def _fingerprint(job: TrainJob, config) -> str:
    """Which job a checkpoint belongs to: everything that decides the result, but for paths and threads."""
    options = asdict(job.options)
    sizes = [Path(p).stat().st_size for p in [*job.train.shards, *(job.eval.shards if job.eval else [])]]
    facts = {
        "steps": job.steps,
        "options": options,
        "sizes": sizes,
        "config": asdict(config),
        "continues": job.adapter is not None,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
