"""Cuts a step's rows into runs and packs each run into one line of tokens: no padding, no row sees another."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from tokens import Document

# Tokens of one block of the attention kernels.
BLOCK = 128


@dataclass(frozen=True)
class Pack:
    documents: list[Document]
    ids: torch.Tensor
    host_ids: torch.Tensor
    # Place of each token in its row.
    positions: torch.Tensor
    # Where rows start and end: [0, ..., tokens].
    bounds: torch.Tensor
    # [first token, end of its row, start of its row] of each block of BLOCK tokens, those with the most work first.
    blocks: torch.Tensor
    lengths: list[int]
    # Tokens whose successor carries loss, those successors, and the document of each.
    predictors: torch.Tensor
    labels: torch.Tensor
    owners: np.ndarray

    @property
    def tokens(self) -> int:
        return self.ids.shape[0]


def best_fit(lengths: Sequence[int], capacity: int, most: int) -> list[list[int]]:
    """
    Best-fit decreasing: each row goes where it leaves least room, ties to the earlier run; runs hold at most `capacity`
    tokens (a longer row is a run of its own) and `most` rows. Rows of a run, and runs, stand in the order of the rows.
    """
    runs: list[list[int]] = []
    room: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        open_runs = [i for i in range(len(runs)) if room[i] >= lengths[row] and len(runs[i]) < most]
        best = min(open_runs, key=lambda i: (room[i], i), default=None)
        if best is None:
            best = len(runs)
            runs.append([])
            room.append(capacity)
        runs[best].append(row)
        room[best] -= lengths[row]
    return sorted(sorted(run) for run in runs)


def pack(documents: list[Document], device: torch.device) -> Pack:
    lengths = [len(d.ids) for d in documents]
    ends = np.cumsum(lengths)
    starts = ends - lengths
    ids = np.concatenate([d.ids for d in documents]).astype(np.int64)
    mask = np.concatenate([d.mask for d in documents]).astype(bool)
    mask[starts] = False
    trained = np.flatnonzero(mask)
    blocks = [(t, e, s) for s, e in zip(starts, ends, strict=True) for t in range(s, e, BLOCK)]
    blocks.sort(key=lambda b: (b[2] - b[0], b[0]))

    def tensor(values, dtype):
        host = torch.from_numpy(np.ascontiguousarray(np.asarray(values, dtype)))
        return host.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else host

    return Pack(
        documents=documents,
        ids=tensor(ids, np.int64),
        host_ids=torch.from_numpy(ids),
        positions=tensor(np.concatenate([np.arange(n) for n in lengths]), np.int32),
        bounds=tensor(np.concatenate([[0], ends]), np.int32),
        blocks=tensor(blocks, np.int32),
        lengths=lengths,
        predictors=tensor(trained - 1, np.int64),
        labels=tensor(ids[trained], np.int64),
        owners=np.repeat(np.arange(len(lengths)), lengths)[trained],
    )
