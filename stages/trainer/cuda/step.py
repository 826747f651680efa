"""One optimiser step's gradient, in as few runs of the model as memory allows, and what is wrong when it is not finite."""

import hashlib
import math

import torch

from decoder import Decoder
from events import Process
from failure import Failure
from job import Options
from packing import Pack, best_fit, pack
from tokens import Document, TokenRows


def run_step(decoder: Decoder, documents: list[Document], step: int, capacity: int, options: Options, process: Process):
    """Adds up the gradient of the step's rows in as few runs as fit. Returns each run's losses, and the capacity that fitted."""
    lengths = [len(d.ids) for d in documents]
    most = len(documents) if options.micro_batch == "auto" else options.micro_batch
    while True:
        decoder.factors.gradient.zero_()
        losses: list[tuple[Pack, torch.Tensor]] = []
        try:
            for number, run in enumerate(best_fit(lengths, capacity, most)):
                batch = pack([documents[i] for i in run], decoder.device)
                losses.append((batch, decoder.step(batch, _dropout_seed(options.seed, step, number))))
            return losses, capacity
        except torch.OutOfMemoryError as error:
            longest = max(lengths)
            if options.on_oom != "retry" or capacity <= longest and most == 1:
                what = (
                    f"step {step + 1}: the GPU's memory is too small for a run of {min(capacity, sum(lengths))} tokens"
                )
                advice = "Lower micro_batch, choose checkpointing: full, or let on_oom: retry halve the runs."
                raise Failure("out-of-memory", what, advice) from error
            losses.clear()
            capacity = max(longest, min(capacity, sum(lengths)) // 2)
            most = max(1, most // 2) if capacity == longest else most
        # Outside `except`, whose error holds the tensors of the failed run.
        torch.cuda.empty_cache()
        process.emit("warn", message=f"out of memory at step {step + 1}: going on with {capacity} tokens in one run")


def _dropout_seed(seed: int, step: int, run: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed} {step} {run}".encode()).digest()[:6])


def checked_sum(losses: list[tuple[Pack, torch.Tensor]], norm: torch.Tensor, step: int, rows: TokenRows) -> float:
    """The sum of losses; `training-diverged` names the rows whose loss is not finite."""
    total = math.fsum(part.double().sum().item() for _, part in losses)
    if math.isfinite(total) and math.isfinite(norm.item()):
        return total
    culprits = [
        document.row
        for batch, part in losses
        for i, document in enumerate(batch.documents)
        if not part[torch.from_numpy(batch.owners == i).to(part.device)].isfinite().all()
    ]
    what = "gradient" if math.isfinite(total) else "loss"
    names = culprits or [d.row for batch, _ in losses for d in batch.documents]
    where = ", ".join(rows.names(names[:5]))
    raise Failure(
        "training-diverged",
        f"step {step}: the {what} is not finite (rows {where})",
        "Lower lr, raise warmup, or look at these rows.",
    )
