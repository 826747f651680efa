"""Saves and restores the whole state of a training: weights, optimiser, position, sums; a damaged file counts as none."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from lora import Factors
from optimiser import AdamW

FILE = "checkpoint.safetensors"


@dataclass(frozen=True)
class Progress:
    """
    What goes on from step to step besides the vectors; survives as JSON to the bit. Random numbers need no state: each is
    drawn from the seed, the step and the place it is for.
    """

    # Steps done.
    step: int = 0
    rows: int = 0
    tokens: int = 0
    trained_tokens: int = 0
    # Sum of the losses of all trained tokens so far.
    loss_sum: float = 0.0
    last_loss: float = 0.0
    eval_before: dict | None = None
    # Step of the last measurement on the held-out rows.
    eval_step: int = 0
    # Tokens that one run of the model may have.
    capacity: int = 0
    # Bytes of `metrics.jsonl` that belong to the steps done.
    metrics_length: int = 0


def _vectors(factors: Factors, adam: AdamW) -> dict[str, torch.Tensor]:
    return {"weights": factors.weights, "mean": adam.mean, "square": adam.square}


def _digest(fingerprint: str, progress: str, vectors: dict[str, torch.Tensor]) -> str:
    total = hashlib.sha256(f"{fingerprint}{progress}".encode())
    for vector in vectors.values():
        total.update(vector.numpy().tobytes())
    return total.hexdigest()


def save_checkpoint(folder: Path, fingerprint: str, factors: Factors, adam: AdamW, progress: Progress) -> None:
    """`fingerprint` says which job the state belongs to."""
    text = json.dumps(asdict(progress))
    vectors = {name: v.cpu() for name, v in _vectors(factors, adam).items()}
    metadata = {"fingerprint": fingerprint, "progress": text, "sha256": _digest(fingerprint, text, vectors)}
    temporary = folder / f"{FILE}.tmp"
    save_file(vectors, temporary, metadata)
    sync(temporary)
    temporary.replace(folder / FILE)
    sync(folder)


def load_checkpoint(folder: Path, fingerprint: str, factors: Factors, adam: AdamW) -> Progress | None:
    """Fills the vectors; None where there is no sound checkpoint of this job."""
    path = folder / FILE
    if not path.exists():
        return None
    into = _vectors(factors, adam)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            vectors = {name: file.get_tensor(name) for name in into}
        text = metadata.get("progress", "")
        sound = (
            metadata.get("fingerprint") == fingerprint
            and all(vectors[name].shape == v.shape for name, v in into.items())
            and metadata.get("sha256") == _digest(fingerprint, text, vectors)
        )
    except (SafetensorError, OSError):
        return None
    if not sound:
        return None
    for name, vector in into.items():
        vector.copy_(vectors[name])
    return Progress(**json.loads(text))


def sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
