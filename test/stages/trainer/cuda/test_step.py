"""Cutting a step into runs: by best fit, and again where memory does not suffice."""

from types import SimpleNamespace

import numpy as np
import torch
from rig import CPU, documents

from failure import Failure
from packing import best_fit, pack
from step import run_step


def test_best_fit_fills_runs_and_keeps_the_order_of_rows():
    lengths = [50, 20, 70, 30, 100, 10, 130]
    runs = best_fit(lengths, 100, 10)
    assert sorted(row for run in runs for row in run) == list(range(7))
    assert all(sum(lengths[i] for i in run) <= 100 or run == [6] for run in runs)
    assert len(runs) == 4
    assert runs == sorted(runs) and all(run == sorted(run) for run in runs)
    assert best_fit(lengths, 100, 10) == runs
    assert best_fit([5, 5, 5], 100, 2) == [[0, 1], [2]]


def test_a_pack_predicts_no_row_from_another():
    batch = documents([4, 3, 5], share=1.0)
    packed = pack(batch, CPU)
    assert packed.positions.tolist() == [0, 1, 2, 3, 0, 1, 2, 0, 1, 2, 3, 4]
    ids = np.concatenate([d.ids for d in batch])
    starts = {0, 4, 7}
    assert not starts & {p + 1 for p in packed.predictors.tolist()}
    assert packed.labels.tolist() == [ids[p + 1] for p in packed.predictors.tolist()]
    assert len(packed.owners) == sum(d.trained for d in batch)


class Small:
    """A decoder whose memory holds `most` tokens; each gives its loss and a gradient of 1."""

    def __init__(self, most):
        self.most, self.device, self.seen = most, CPU, []
        self.factors = SimpleNamespace(gradient=torch.zeros(1))

    def step(self, batch, seed):
        if batch.tokens > self.most:
            self.factors.gradient += 1000
            raise torch.OutOfMemoryError("too small")
        self.seen.append(batch.tokens)
        self.factors.gradient += batch.tokens
        return torch.ones(len(batch.owners))


def options(**more):
    return SimpleNamespace(**{"micro_batch": "auto", "seed": 1, "on_oom": "retry", **more})


def test_a_step_that_does_not_fit_is_made_in_smaller_runs_when_that_is_asked_for():
    batch = documents([40, 30, 20, 50, 10])
    warnings = []
    process = SimpleNamespace(emit=lambda kind, **fields: warnings.append((kind, fields)))
    decoder = Small(60)
    losses, capacity = run_step(decoder, batch, 0, 1000, options(), process)
    # What the failed run had added is gone.
    assert decoder.factors.gradient.item() == 150
    assert sum(len(part) for _, part in losses) == sum(d.trained for d in batch)
    assert capacity == 50 and max(decoder.seen) <= 60
    assert [kind for kind, _ in warnings] == ["warn", "warn"]


def test_otherwise_it_is_a_failure_that_says_what_to_change():
    for decoder, asked in ((Small(60), options(on_oom="fail")), (Small(30), options())):
        try:
            run_step(decoder, documents([40, 30]), 4, 1000, asked, SimpleNamespace(emit=lambda *_, **__: None))
            raise AssertionError("it did not fail")
        except Failure as failure:
            assert failure.reason == "out-of-memory"
            assert "step 5" in str(failure) and "micro_batch" in failure.advice
