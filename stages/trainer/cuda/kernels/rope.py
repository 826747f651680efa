"""Rotary embedding of query and key heads, in place."""

import torch
import triton
import triton.language as tl

BLOCK = 1024


@triton.jit
def _turn(x, cos, sin, positions, stride, pairs, HALF: tl.constexpr, BACK: tl.constexpr, BLOCK: tl.constexpr):
    token = tl.program_id(0).to(tl.int64)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    mask = at < pairs
    place = at % HALF
    first = x + token * stride + (at // HALF) * (2 * HALF) + place
    row = tl.load(positions + token) * HALF
    c = tl.load(cos + row + place, mask=mask, other=0.0)
    s = tl.load(sin + row + place, mask=mask, other=0.0)
    if BACK:
        s = -s
    a = tl.load(first, mask=mask, other=0.0).to(tl.float32)
    b = tl.load(first + HALF, mask=mask, other=0.0).to(tl.float32)
    tl.store(first, (a * c - b * s).to(x.dtype.element_ty), mask=mask)
    tl.store(first + HALF, (b * c + a * s).to(x.dtype.element_ty), mask=mask)


def turn_heads(heads: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, positions: torch.Tensor, back: bool) -> None:
    tokens, count, dim = heads.shape
    assert heads.stride(2) == 1 and heads.stride(1) == dim
    pairs = count * dim // 2
    grid = (tokens, triton.cdiv(pairs, BLOCK))
    _turn[grid](heads, cos, sin, positions, heads.stride(0), pairs, HALF=dim // 2, BACK=back, BLOCK=BLOCK, num_warps=4)
