"""
One frozen matrix an expert: as stored in 16 or 32 bits, in MXFP4's 4.25 bits and unpacked a layer at a time, or rounded
to float8 once for each direction.
"""

import torch

from fp8 import Rounded
from grouped import grouped
from mxfp4 import unpack


class ExpertWeights:
    def __init__(
        self,
        bias: torch.Tensor,
        dense: torch.Tensor | None = None,
        packed: tuple[torch.Tensor, torch.Tensor] | None = None,
    ):
        """`dense` [experts, inputs, outputs]; `packed` blocks [experts, outputs, inputs / 32, 16] and scales without the last."""
        self.bias = bias
        self.dense = dense
        self.packed = packed
        self.forward8: Rounded | None = None
        self.back8: Rounded | None = None

    def product(self, rows: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
        return grouped(rows, self._matrices(rows.dtype), ends)

    def product_back(self, rows: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
        return grouped(rows, self._matrices(rows.dtype).transpose(1, 2), ends)

    def round(self) -> None:
        """From here on float8 takes the place of what was stored."""
        experts, outputs = self.bias.shape
        for expert in range(experts):
            if self.packed is None:
                matrix = self.dense[expert]
            else:
                matrix = unpack(*(t[expert] for t in self.packed), torch.bfloat16).t()
            if self.forward8 is None:
                inputs = matrix.shape[0]
                self.forward8 = Rounded(experts, outputs, inputs, matrix.device)
                self.back8 = Rounded(experts, inputs, outputs, matrix.device)
            self.forward8.put(expert, matrix.t())
            self.back8.put(expert, matrix)
        self.dense = self.packed = None

    def _matrices(self, dtype: torch.dtype) -> torch.Tensor:
        if self.packed is None:
            return self.dense
        return unpack(*self.packed, dtype).transpose(1, 2)
