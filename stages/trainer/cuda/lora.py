"""
The LoRA factors of a model: one flat float32 vector of weights and one of gradients, of which every factor is a view.

One vector makes the norm, the clipping, the optimiser and a checkpoint one operation each. Products take copies in the
model's precision, which `Factors.refresh` makes before each step: `Pair.a` holds A times LoRA's scale, `Pair.b` B. So
z = x a^T, out += z b^T; backward dz = dout b, dx += dz a, dB = dout^T z, and dA = scale dz^T x.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch

from config import DecoderConfig
from failure import Failure
from grouped import grouped, grouped_outer

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
EXPERT_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_up_proj", "down_proj")


@dataclass(frozen=True)
class LoraShape:
    r: int
    alpha: float
    rslora: bool
    targets: tuple[str, ...]

    @property
    def scale(self) -> float:
        """LoRA's product counts alpha / r times, or alpha / sqrt(r) (rsLoRA, Kalajdzievski 2023)."""
        return self.alpha / (math.sqrt(self.r) if self.rslora else self.r)


@dataclass(frozen=True)
class Matrix:
    """A matrix that carries LoRA: A is [r, inputs], B [outputs, r]; with experts A is expert-major, B rank-major (PEFT)."""

    name: str
    inputs: int
    outputs: int
    experts: int = 0


def matrices(config: DecoderConfig, targets: tuple[str, ...]) -> list[Matrix]:
    """Those that `targets` name, layer by layer. Nothing may be silently left untrained: `unmatched-target`."""
    c = config
    queries, keys = c.heads * c.head_dim, c.kv_heads * c.head_dim
    attention = {
        "q_proj": (c.hidden, queries),
        "k_proj": (c.hidden, keys),
        "v_proj": (c.hidden, keys),
        "o_proj": (queries, c.hidden),
    }
    dense = {"gate_proj": (c.hidden, c.inner), "up_proj": (c.hidden, c.inner), "down_proj": (c.inner, c.hidden)}
    experts = {"gate_up_proj": (c.hidden, 2 * c.inner), "down_proj": (c.inner, c.hidden)}
    inner = experts if c.experts else dense
    known = {**attention, **inner}
    for target in targets:
        if target not in known:
            what = f"target {target} is not a matrix of this model ({c.family})"
            raise Failure("unmatched-target", what, f"Choose from {', '.join(known)}.")
    out = []
    for layer in range(c.layers):
        for target, (inputs, outputs) in known.items():
            if target not in targets:
                continue
            block = "self_attn" if target in attention else "mlp.experts" if c.experts else "mlp"
            count = c.experts if target in inner and c.experts else 0
            out.append(Matrix(f"model.layers.{layer}.{block}.{target}", inputs, outputs, count))
    return out


@dataclass(frozen=True)
class Views:
    """One factor's part of each flat vector."""

    master: torch.Tensor
    scaled: torch.Tensor
    gradient: torch.Tensor


class Pair:
    """The factors of one matrix: masters, gradients, and the copies that products take."""

    def __init__(self, matrix: Matrix, shape: LoraShape, a: Views, b: Views, dtype: torch.dtype):
        self.matrix, self.r, self.scale = matrix, shape.r, shape.scale
        self.master_a, self.master_b = a.master, b.master
        self.gradient_a, self.gradient_b = a.gradient, b.gradient
        if matrix.experts:
            e, r = matrix.experts, shape.r
            self.source_a = a.scaled.view(e, r, matrix.inputs)
            self.source_b = b.master.view(matrix.outputs, r, e).permute(2, 0, 1)
        else:
            self.source_a, self.source_b = a.scaled, b.master
        self.a = torch.empty(self.source_a.shape, dtype=dtype, device=a.master.device)
        self.b = torch.empty(self.source_b.shape, dtype=dtype, device=a.master.device)

    # Of experts; rows are sorted by expert, `ends` says where each one's end.

    def inner_grouped(self, rows: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
        return grouped(rows, self.a.transpose(1, 2), ends)

    def add_grouped(self, out: torch.Tensor, z: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
        return out.add_(grouped(z, self.b.transpose(1, 2), ends))

    def inner_grouped_back(self, gradient: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
        return grouped(gradient, self.b, ends)

    def add_grouped_back(self, out: torch.Tensor, dz: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
        return out.add_(grouped(dz, self.a, ends))

    def collect_grouped(self, gradient: torch.Tensor, rows: torch.Tensor, z: torch.Tensor, ends: torch.Tensor) -> None:
        """Adds to the gradients of A and B: `gradient` is that of the outputs, `rows` the inputs, `z` the inner products."""
        e, r = self.matrix.experts, self.r
        dz = self.inner_grouped_back(gradient, ends)
        self.gradient_a.view(e, r, -1).add_(grouped_outer(dz, rows, ends, e), alpha=self.scale)
        self.gradient_b.view(-1, r, e).add_(grouped_outer(gradient, z, ends, e).permute(1, 2, 0))


class Factors:
    def __init__(self, config: DecoderConfig, shape: LoraShape, device: torch.device, dtype: torch.dtype):
        self.shape = shape
        self.matrices = matrices(config, shape.targets)
        self.sizes = [s for m in self.matrices for s in self._shapes(m)]
        total = sum(a * b for a, b in self.sizes)
        self.weights = torch.zeros(total, dtype=torch.float32, device=device)
        self.gradient = torch.zeros_like(self.weights)
        self._scaled = torch.zeros_like(self.weights)
        flats = (self.weights, self._scaled, self.gradient)
        views = [Views(*parts) for parts in zip(*map(self._views, flats), strict=True)]
        self._pairs = {
            m.name: Pair(m, shape, a, b, dtype) for m, a, b in zip(self.matrices, views[::2], views[1::2], strict=True)
        }
        self._used: set[str] = set()

    def pair(self, name: str) -> Pair | None:
        pair = self._pairs.get(name)
        if pair:
            self._used.add(name)
        return pair

    def check_all_bound(self) -> None:
        """A factor that no product uses would be a bug that no loss curve shows (unsloth #4193)."""
        missing = set(self._pairs) - self._used
        assert not missing, f"not bound: {sorted(missing)[:5]}"

    def refresh(self) -> None:
        """Makes the products see the present weights."""
        torch.mul(self.weights, self.shape.scale, out=self._scaled)
        pairs = self._pairs.values()
        to = [t for p in pairs for t in (p.a, p.b)]
        torch._foreach_copy_(to, [t for p in pairs for t in (p.source_a, p.source_b)])

    def untrained(self) -> list[str]:
        """Matrices whose B is still zero: an adapter without effect is a failure that no loss curve shows (mlx-lm #1172)."""
        return [name for name, p in self._pairs.items() if not p.master_b.any()]

    def named(self, flat: torch.Tensor):
        """(`model.layers.0.self_attn.q_proj.lora_A`, its part of `flat`) in the order of the vector."""
        names = [f"{m.name}.lora_{ab}" for m in self.matrices for ab in "AB"]
        return zip(names, self._views(flat), strict=True)

    def start(self, seed: int) -> None:
        """PEFT's start: A uniform in +-1/sqrt(in) (Kaiming with a = sqrt 5), B zero; the same numbers as the embedded backend's."""
        drawn = 0
        flat = np.zeros(self.weights.numel(), np.float32)
        at = 0
        for i, (rows, columns) in enumerate(self.sizes):
            size = rows * columns
            if i % 2 == 0:
                uniform = _split_mix(seed, drawn, size)
                flat[at : at + size] = (2 * uniform - 1) / math.sqrt(columns)
                drawn += size
            at += size
        self.weights.copy_(torch.from_numpy(flat))

    def _shapes(self, matrix: Matrix) -> tuple[tuple[int, int], tuple[int, int]]:
        rank = self.shape.r * max(1, matrix.experts)
        return (rank, matrix.inputs), (matrix.outputs, rank)

    def _views(self, flat: torch.Tensor):
        at = 0
        for rows, columns in self.sizes:
            yield flat[at : at + rows * columns].view(rows, columns)
            at += rows * columns


def _split_mix(seed: int, skip: int, count: int) -> np.ndarray:
    """SplitMix32 (Steele, Lea and Flood 2014; 32-bit variant): numbers `skip`.. of the uniform sequence of `seed`."""
    calls = np.arange(2 * skip + 1, 2 * (skip + count) + 1, dtype=np.uint64)
    z = (np.uint64(seed) + calls * np.uint64(0x9E3779B9)).astype(np.uint32)
    z = (z ^ (z >> np.uint32(16))) * np.uint32(0x21F0AAAD)
    z = (z ^ (z >> np.uint32(15))) * np.uint32(0x735A2D97)
    z = (z ^ (z >> np.uint32(15))).astype(np.float64)
    return (z[::2] * 2.0**21 + np.floor(z[1::2] / 2.0**11)) / 2.0**53
