"""
One decoder layer, forward and backward by hand: what is kept between them is decided here and nowhere else.

    x --norm--> qkv --turn--> attention --out--> + --norm--> experts or dense --> +
    |___________________________________________|  |______________________________|
"""

from dataclasses import dataclass

import torch

from attention import attention, attention_backward
from config import DecoderConfig
from dense import Dense
from experts import Experts
from lora import Factors
from norm import add_norm, norm, norm_backward, sum_norm_backward
from packing import Pack
from projection import Mask, Projection
from rope import turn


@dataclass(frozen=True)
class Run:
    """What all layers share in one run of the model."""

    pack: Pack
    cos: torch.Tensor
    sin: torch.Tensor
    # Of the run's dropout, from which layers and projections count on; None: without dropout.
    seed: int | None


@dataclass
class Saved:
    x: torch.Tensor
    qkv: torch.Tensor
    # Queries and keys before their norm (Qwen3).
    raw: torch.Tensor | None
    z_qkv: torch.Tensor | None
    o: torch.Tensor
    lse: torch.Tensor
    z_out: torch.Tensor | None
    middle: torch.Tensor
    block: object


@dataclass(frozen=True)
class Norms:
    before: torch.Tensor
    after: torch.Tensor
    query: torch.Tensor | None
    key: torch.Tensor | None


class Layer:
    def __init__(
        self,
        config: DecoderConfig,
        index: int,
        norms: Norms,
        qkv: Projection,
        out: Projection,
        sinks: torch.Tensor | None,
        block: Dense | Experts,
    ):
        self.config, self.index, self.norms = config, index, norms
        self.qkv, self.out, self.sinks, self.block = qkv, out, sinks, block
        self.window = config.windows[index]
        self.dropout = 0.0
        self.trained = False

    def bind(self, factors: Factors, dropout: float) -> None:
        at = f"model.layers.{self.index}"
        self.dropout = dropout
        for projection in (self.qkv, self.out):
            projection.bind(factors, f"{at}.self_attn", dropout)
        if isinstance(self.block, Dense):
            self.block.bind(factors, f"{at}.mlp", dropout)
        else:
            self.block.bind(factors, f"{at}.mlp")
        self.trained = any(m.name.startswith(f"{at}.") for m in factors.matrices)

    def forward(self, x: torch.Tensor, run: Run, keep_block: bool) -> tuple[torch.Tensor, Saved]:
        c, eps = self.config, self.config.eps
        masks = self._masks(run)
        tokens = x.shape[0]
        qkv, z_qkv = self.qkv.forward(norm(x, self.norms.before, eps, self.qkv.input_room(tokens)), masks[0])
        q, k, v = self._heads(qkv)
        raw = None
        if c.qk_norm:
            both = qkv[:, : (c.heads + c.kv_heads) * c.head_dim]
            raw = both.clone()
            for part, weight in ((q, self.norms.query), (k, self.norms.key)):
                part.copy_(norm(part.reshape(-1, c.head_dim), weight, eps).view(part.shape))
        turn(self._turned(qkv), run.cos, run.sin, run.pack.positions)
        o = self.out.input_room(tokens)
        lse = attention(q, k, v, self.sinks, self.window, run.pack, o.unflatten(1, (-1, c.head_dim)))
        y, z_out = self.out.forward(o, masks[1])
        h = self.block.input_room(tokens)
        middle = add_norm(x, y, self.norms.after, eps, h)
        if isinstance(self.block, Dense):
            result, block = self.block.forward(h, middle, keep_block, masks[2:])
        else:
            result, block = self.block.forward(h, middle, keep_block)
        return result, Saved(x, qkv, raw, z_qkv, o, lse, z_out, middle, block)

    def backward(self, gradient: torch.Tensor, saved: Saved, run: Run, out: torch.Tensor | None) -> torch.Tensor | None:
        """Gradient of the layer's input, written to `out`; None where nothing below is trained. `saved` is used up."""
        c, eps = self.config, self.config.eps
        masks = self._masks(run)
        tokens = gradient.shape[0]
        h = None
        if self.block.needs_input(saved.block):
            h = norm(saved.middle, self.norms.after, eps, self.block.input_room(tokens))
        beside = (saved.middle, self.norms.after, eps, gradient, self.out.room(tokens))
        if isinstance(self.block, Dense):
            middle = norm_backward(self.block.backward(gradient, h, saved.block, masks[2:]), *beside)
        else:
            rows, routes, other = self.block.backward(gradient, h, saved.block)
            middle = sum_norm_backward(rows, routes.places, other, *beside)
            del rows, routes, other
        saved.block = None
        do = self.out.backward(middle, saved.o, saved.z_out, True, masks[1])
        dqkv = self.qkv.room(tokens)
        into = self._heads(dqkv)
        do, o = (t.unflatten(1, (-1, c.head_dim)) for t in (do, saved.o))
        attention_backward(do, *self._heads(saved.qkv), o, saved.lse, self.window, run.pack, into)
        turn(self._turned(dqkv), run.cos, run.sin, run.pack.positions, back=True)
        if c.qk_norm:
            self._norm_back(saved.raw, into)
        h = norm(saved.x, self.norms.before, eps) if self.qkv.pairs else None
        dh = self.qkv.backward(dqkv, h, saved.z_qkv, out is not None, masks[0])
        if out is None:
            return None
        return norm_backward(dh, saved.x, self.norms.before, eps, middle, out)

    def _heads(self, qkv: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        c = self.config
        q, k, v = qkv.split([c.heads * c.head_dim, c.kv_heads * c.head_dim, c.kv_heads * c.head_dim], 1)
        return tuple(t.unflatten(1, (-1, c.head_dim)) for t in (q, k, v))

    def _turned(self, qkv: torch.Tensor) -> torch.Tensor:
        c = self.config
        return qkv[:, : (c.heads + c.kv_heads) * c.head_dim].unflatten(1, (-1, c.head_dim))

    def _norm_back(self, raw: torch.Tensor, into: tuple[torch.Tensor, ...]) -> None:
        c = self.config
        parts = raw.split([c.heads * c.head_dim, c.kv_heads * c.head_dim], 1)
        for gradient, x, weight in zip(into, parts, (self.norms.query, self.norms.key), strict=False):
            flat = gradient.reshape(-1, c.head_dim)
            back = norm_backward(
                flat, x.reshape(-1, c.head_dim), weight, c.eps, torch.zeros_like(flat), torch.empty_like(flat)
            )
            gradient.copy_(back.view(gradient.shape))

    def _masks(self, run: Run) -> list[Mask]:
        if run.seed is None:
            return [Mask(0.0, 0)] * 4
        return [Mask(self.dropout, run.seed + 4 * self.index + i) for i in range(4)]
