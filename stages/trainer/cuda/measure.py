"""The loss of the base and of the tuned model over the same rows: the base is the adapter at zero."""

import json

from adapter import read_shape, read_weights
from config import read_config
from decoder import Decoder
from device import choose
from evaluate import evaluate
from events import Process
from job import LossJob
from lora import Factors
from memory import most_tokens
from tokens import TokenRows
from weights import Weights


def measure_loss(job: LossJob, process: Process) -> None:
    device, dtype = choose(job.threads)
    config = read_config(job.model)
    weights = Weights(job.model)
    weights.check(config)
    factors = Factors(config, read_shape(job.adapter, config), device, dtype)
    tuned = read_weights(job.adapter, factors)
    rows = TokenRows(job.rows, config)
    decoder = Decoder(config, weights, factors, device, dtype)
    process.emit("start", task="loss", parameters=decoder.parameters, trainable=factors.weights.numel())

    def use(values) -> None:
        factors.weights.copy_(values)
        factors.refresh()

    capacity = most_tokens(config, "full", 0, dtype, device)
    variants = [lambda: use(tuned.new_zeros(tuned.shape)), lambda: use(tuned)]
    base, after = evaluate(rows, decoder, variants, capacity, process)
    (job.output / "summary.json").write_text(f"{json.dumps({'base': base, 'tuned': after}, indent=2)}\n")
