"""
Frozen matrices that read the same input, as one product, bordered by the LoRA factors of those that are targets:

    weight  [ W_q | B_q      ]    z = x a^T,  out = [ x | z ] @ [ W | B ]^T
            [ W_k |          ]
            [ W_v |      B_v ]    backward: dz = dout B,  dx = [ dout | dz ] @ [ W ]
            [ a_q |          ]                                                 [ a ]
            [ a_v |          ]

So LoRA costs one narrow product each way; inputs and gradients are made with room for z beside them (`input_room`,
`room`). With dropout z is that of the thinned input, and dx is summed apart.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from lora import Factors, Pair

# The border's width: products like round numbers.
ROUND = 32


@dataclass(frozen=True)
class Part:
    name: str
    start: int
    rows: int


class Projection:
    def __init__(self, bordered: torch.Tensor, bias: torch.Tensor | None, parts: list[Part], border: int):
        """`bordered` is [outputs + border, inputs + border]."""
        self.bordered, self.bias, self.parts, self.border = bordered, bias, parts, border
        self.outputs, self.inputs = bordered.shape[0] - border, bordered.shape[1] - border
        self.weight = bordered[: self.outputs, : self.inputs]
        self.a = bordered[self.outputs :, : self.inputs]
        self.b = bordered[: self.outputs, self.inputs :]
        self.pairs: list[tuple[Part, Pair, slice]] = []
        self.dropout = 0.0

    def bind(self, factors: Factors, at: str, dropout: float) -> None:
        """Gives the factors their places in the border."""
        self.dropout = dropout
        self.a.zero_(), self.b.zero_()
        self.pairs = []
        for part in self.parts:
            pair = factors.pair(f"{at}.{part.name}")
            if pair:
                start = len(self.pairs) * pair.r
                ranks = slice(start, start + pair.r)
                self.pairs.append((part, pair, ranks))
                pair.a = self.a[ranks]
                pair.b = self.b[part.start : part.start + part.rows, ranks]

    def input_room(self, tokens: int) -> torch.Tensor:
        """An input [tokens, inputs], with room beside it for z."""
        return self.weight.new_empty(tokens, self.inputs + self.border)[:, : self.inputs]

    def room(self, tokens: int) -> torch.Tensor:
        """A gradient of the outputs, with room beside it for that of z."""
        return self.weight.new_empty(tokens, self.outputs + self.border)[:, : self.outputs]

    def forward(self, x: torch.Tensor, mask: "Mask") -> tuple[torch.Tensor, torch.Tensor | None]:
        """`x` has its room. Returns the outputs and z."""
        wide = _widen(x, self.border)
        z = None
        if self.pairs:
            room = wide[:, self.inputs :]
            torch.mm(mask.thin(x) if self.dropout else x, self.a.t(), out=room)
            z = room.clone()
        return F.linear(wide, self.bordered[: self.outputs], self.bias), z

    def backward(
        self, gradient: torch.Tensor, x: torch.Tensor | None, z: torch.Tensor | None, need: bool, mask: "Mask"
    ) -> torch.Tensor | None:
        """Adds to the gradients of the factors; returns that of x where there is `need` of it. `gradient` has its room."""
        if not self.pairs:
            return gradient @ self.weight if need else None
        wide = _widen(gradient, self.border)
        dz = wide[:, self.outputs :]
        torch.mm(gradient, self.b, out=dz)
        db, da = _outer(gradient, z), _outer(dz, mask.thin(x) if self.dropout else x)
        for part, pair, ranks in self.pairs:
            pair.gradient_b.add_(db[part.start : part.start + part.rows, ranks])
            pair.gradient_a.add_(da[ranks], alpha=pair.scale)
        if not need:
            return None
        if self.dropout:
            return (gradient @ self.weight).add_(mask.thin(dz @ self.a))
        return wide @ self.bordered[:, : self.inputs]


class Mask:
    """Dropout of a projection's input, made again from its seed where it is needed again."""

    def __init__(self, share: float, seed: int):
        self.share, self.seed = share, seed

    def thin(self, x: torch.Tensor) -> torch.Tensor:
        if self.share == 0:
            return x
        generator = torch.Generator(x.device).manual_seed(self.seed)
        kept = torch.rand(x.shape, generator=generator, device=x.device) >= self.share
        return x * kept / (1 - self.share)


def _widen(x: torch.Tensor, border: int) -> torch.Tensor:
    rows, columns = x.shape
    assert x.stride() == (columns + border, 1), "made by input_room or room"
    return x.as_strided((rows, columns + border), x.stride())


def _outer(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """left^T @ right over all tokens, summed and kept in float32."""
    if left.is_cuda and left.dtype != torch.float32:
        return torch.mm(left.t(), right, out_dtype=torch.float32)
    return left.t() @ right
