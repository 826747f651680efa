"""Reads tokenised rows from safetensors shards one by one: memory does not grow with the data, but for 8 bytes a row."""

import bisect
import json
from dataclasses import dataclass
from itertools import islice

import numpy as np
from safetensors import SafetensorError, safe_open

from config import DecoderConfig
from failure import Failure
from job import TokenFiles


@dataclass(frozen=True)
class Document:
    row: int
    ids: np.ndarray
    # 1 where a token carries loss: its own prediction from those before it.
    mask: np.ndarray

    @property
    def trained(self) -> int:
        """The first token has nothing before it."""
        return int(self.mask[1:].sum())


class TokenRows:
    def __init__(self, files: TokenFiles, config: DecoderConfig):
        self._files = files
        self._config = config
        self._shards = []
        self._first = []
        self.count = 0
        self.longest = 0
        for path in files.shards:
            try:
                shard = safe_open(path, framework="np")
                offsets = shard.get_tensor("offsets")
                shard.get_slice("input_ids"), shard.get_slice("loss_mask")
            except (SafetensorError, OSError) as error:
                raise Failure("bad-tokens", f"{path}: needs offsets, input_ids and loss_mask ({error})") from error
            self._shards.append((shard, offsets))
            self._first.append(self.count)
            self.count += len(offsets) - 1
            self.longest = max(self.longest, int(np.diff(offsets).max(initial=0)))

    def read(self, row: int) -> Document:
        """A row, checked against the model."""
        at = bisect.bisect_right(self._first, row) - 1
        shard, offsets = self._shards[at]
        start, end = (int(offsets[row - self._first[at] + i]) for i in (0, 1))
        ids = shard.get_slice("input_ids")[start:end]
        document = Document(row, ids, shard.get_slice("loss_mask")[start:end])
        alien = ids[(ids < 0) | (ids >= self._config.vocab)]
        if alien.size:
            raise self._bad(row, f"token id {alien[0]} is outside the model's vocabulary of {self._config.vocab}")
        if len(ids) > self._config.max_positions:
            raise self._bad(row, f"{len(ids)} tokens are more than the model's {self._config.max_positions} positions")
        if document.trained == 0:
            raise self._bad(row, "no token carries loss")
        return document

    def names(self, rows: list[int]) -> list[str]:
        """The ids of rows, for messages; a lost file must not hide the message."""
        wanted = {row: f"#{row}" for row in rows}
        try:
            with open(self._files.ids) as lines:
                for at, line in enumerate(islice(lines, max(rows) + 1)):
                    if at in wanted:
                        wanted[at] = json.loads(line)
        except (OSError, ValueError):
            pass
        return [wanted[row] for row in rows]

    def _bad(self, row: int, what: str) -> Failure:
        advice = "Tokenise the rows with the tokenizer of the model that is trained."
        return Failure("bad-tokens", f"row {self.names([row])[0]}: {what}", advice)
