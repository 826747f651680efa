"""The job file (schemas/job.json) as data."""

import json
from dataclasses import dataclass, fields
from pathlib import Path

from failure import Failure


@dataclass(frozen=True)
class TokenFiles:
    shards: list[str]
    ids: str


@dataclass(frozen=True)
class Options:
    r: int
    alpha: float
    rslora: bool
    targets: list[str]
    micro_batch: int | str
    lr: float
    scheduler: str
    warmup: int
    weight_decay: float
    max_grad_norm: float
    beta1: float
    beta2: float
    eps: float
    seed: int
    save_steps: int
    eval_steps: int
    log_steps: int
    dropout: float = 0.0
    # bf16 on a GPU, float32 on the CPU.
    precision: str = "auto"
    # What is kept for the backward pass: none recomputes nothing, selective the experts' inside, full all but each layer's input.
    checkpointing: str = "none"
    # float8 products with frozen experts.
    fp8: bool = False
    deterministic: bool = False
    # fail, or retry in smaller runs.
    on_oom: str = "fail"


@dataclass(frozen=True)
class TrainJob:
    model: Path
    adapter: Path | None
    threads: int
    output: Path
    checkpoint: Path
    train: TokenFiles
    eval: TokenFiles | None
    # Rows of each optimiser step.
    steps: list[list[int]]
    options: Options


@dataclass(frozen=True)
class LossJob:
    model: Path
    adapter: Path
    threads: int
    output: Path
    rows: TokenFiles


def read_job(path: str) -> TrainJob | LossJob:
    raw = json.loads(Path(path).read_text())
    if raw.get("version") != 1:
        raise Failure("bad-job", f"{path}: version {raw.get('version')} is not 1")
    adapter = Path(raw["adapter"]) if raw.get("adapter") else None
    common = {"model": Path(raw["model"]), "threads": raw["threads"], "output": Path(raw["output"])}
    if raw["task"] == "loss":
        return LossJob(**common, adapter=adapter, rows=TokenFiles(**raw["rows"]))
    if raw["task"] != "train":
        raise Failure(
            "unsupported-task", f"the cuda backend has no task {raw['task']}", "Use the embedded backend for it."
        )
    unknown = set(raw["options"]) - {f.name for f in fields(Options)}
    if unknown:
        raise Failure("bad-job", f"{path}: unknown options {', '.join(sorted(unknown))}")
    return TrainJob(
        **common,
        adapter=adapter,
        checkpoint=Path(raw["checkpoint"]),
        train=TokenFiles(**raw["train"]),
        eval=TokenFiles(**raw["eval"]) if raw["eval"] else None,
        steps=raw["steps"],
        options=Options(**raw["options"]),
    )
