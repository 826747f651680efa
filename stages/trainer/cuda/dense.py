"""The gated block of the Llama family: down(silu(gate) * up)."""

from dataclasses import dataclass

import torch

from lora import Factors
from projection import Mask, Projection


@dataclass
class Saved:
    # Outputs of gate and up; None: to be made again.
    h: torch.Tensor | None
    z_in: torch.Tensor | None
    z_out: torch.Tensor | None


class Dense:
    def __init__(self, into: Projection, out: Projection):
        self.into, self.out = into, out

    def bind(self, factors: Factors, at: str, dropout: float) -> None:
        self.into.bind(factors, at, dropout)
        self.out.bind(factors, at, dropout)

    def input_room(self, tokens: int) -> torch.Tensor:
        return self.into.input_room(tokens)

    def forward(self, x: torch.Tensor, stream: torch.Tensor, keep: bool, masks: tuple[Mask, Mask]):
        """Returns stream + block(x)."""
        h, z_in = self.into.forward(x, masks[0])
        y, z_out = self.out.forward(activate(h, self.out.input_room(h.shape[0])), masks[1])
        return stream + y, Saved(h if keep else None, z_in if keep else None, z_out)

    def needs_input(self, saved: Saved) -> bool:
        """Whether the backward pass takes x."""
        return saved.h is None or bool(self.into.pairs)

    def backward(
        self, gradient: torch.Tensor, x: torch.Tensor | None, saved: Saved, masks: tuple[Mask, Mask]
    ) -> torch.Tensor:
        h, z_in = (saved.h, saved.z_in) if saved.h is not None else self.into.forward(x, masks[0])
        a = activate(h, self.out.input_room(h.shape[0])) if self.out.pairs else None
        da = self.out.backward(gradient, a, saved.z_out, True, masks[1])
        dh = activate_backward(h, da, self.into.room(h.shape[0]))
        return self.into.backward(dh, x, z_in, True, masks[0])


def activate(h: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    if h.is_cuda:
        from kernels.dense import activate_rows

        return activate_rows(h, out)
    gate, up = h.float().chunk(2, -1)
    return out.copy_(torch.nn.functional.silu(gate) * up)


def activate_backward(h: torch.Tensor, da: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    if h.is_cuda:
        from kernels.dense import activate_rows_backward

        return activate_rows_backward(h, da, out)
    gate, up = h.float().chunk(2, -1)
    s, d = torch.sigmoid(gate), da.float()
    out[:, : da.shape[1]] = d * up * (s + gate * s * (1 - s))
    out[:, da.shape[1] :] = d * gate * s
    return out
