"""Rows of the experts in float8 (e4m3): a program takes a whole row, whose largest number decides its scale."""

import torch
import triton
import triton.language as tl

from kernels.experts import _gated, _gated_backward, _words

E4M3 = torch.float8_e4m3fn


@triton.jit
def _scale(values):
    """By which a row is divided so that its largest number is e4m3's."""
    return tl.maximum(tl.max(tl.abs(values), 0), 1.0e-30) / 448.0


@triton.jit
def _round(x, out, scales, stride, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, BLOCK)
    mask = at < columns
    v = tl.load(x + row * stride + at, mask=mask, other=0.0).to(tl.float32)
    scale = _scale(v)
    tl.store(scales + row, scale)
    tl.store(out + row * columns + at, (v * (1.0 / scale)).to(tl.float8e4nv), mask=mask)


@triton.jit
def _gather(x, scales, places, out, row_scales, words, K: tl.constexpr, BLOCK: tl.constexpr):
    """Four numbers a word."""
    token = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, BLOCK)
    mask = at < words
    row = tl.load(x + token * words + at, mask=mask)
    scale = tl.load(scales + token)
    for i in tl.static_range(K):
        place = tl.load(places + token * K + i).to(tl.int64)
        tl.store(out + place * words + at, row, mask=mask)
        tl.store(row_scales + place, scale)


@triton.jit
def _store_rounded(out, row, at, values, by, columns):
    tl.store(out + row * columns + at, (values * by).to(tl.float8e4nv), mask=at < columns)


@triton.jit
def _store_pairs(out, row, start, gates, ups, by, columns, BLOCK: tl.constexpr):
    at = 2 * start + tl.arange(0, 2 * BLOCK)
    both = tl.interleave(gates * by, ups * by)
    tl.store(out + row * (2 * columns) + at, both.to(tl.float8e4nv), mask=at < 2 * columns)


@triton.jit
def _activate(
    h,
    bias,
    row_expert,
    out,
    scales,
    columns,
    limit,
    alpha,
    PACKED: tl.constexpr,
    BLOCK: tl.constexpr,
    CHUNKS: tl.constexpr,
):
    """A row in up to four chunks, all in registers until its scale is known."""
    row = tl.program_id(0).to(tl.int64)
    expert = tl.load(row_expert + row).to(tl.int64)
    at = tl.arange(0, BLOCK)
    v0 = tl.where(at < columns, _gated(h, bias, row, expert, at, at < columns, columns, limit, alpha, PACKED), 0.0)
    high = tl.abs(v0)
    if CHUNKS > 1:
        a1 = at + BLOCK
        v1 = tl.where(a1 < columns, _gated(h, bias, row, expert, a1, a1 < columns, columns, limit, alpha, PACKED), 0.0)
        high = tl.maximum(high, tl.abs(v1))
    if CHUNKS > 2:
        a2 = at + 2 * BLOCK
        v2 = tl.where(a2 < columns, _gated(h, bias, row, expert, a2, a2 < columns, columns, limit, alpha, PACKED), 0.0)
        high = tl.maximum(high, tl.abs(v2))
    if CHUNKS > 3:
        a3 = at + 3 * BLOCK
        v3 = tl.where(a3 < columns, _gated(h, bias, row, expert, a3, a3 < columns, columns, limit, alpha, PACKED), 0.0)
        high = tl.maximum(high, tl.abs(v3))
    scale = _scale(high)
    tl.store(scales + row, scale)
    by = 1.0 / scale
    _store_rounded(out, row, at, v0, by, columns)
    if CHUNKS > 1:
        _store_rounded(out, row, a1, v1, by, columns)
    if CHUNKS > 2:
        _store_rounded(out, row, a2, v2, by, columns)
    if CHUNKS > 3:
        _store_rounded(out, row, a3, v3, by, columns)


@triton.jit
def _activate_backward(
    h, bias, row_expert, row_weight, da, out, scales, gain, columns, limit, alpha,
    PACKED: tl.constexpr, BLOCK: tl.constexpr, CHUNKS: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64)
    expert = tl.load(row_expert + row).to(tl.int64)
    w = tl.load(row_weight + row)
    at = tl.arange(0, BLOCK)
    g0, u0, total = _gated_backward(h, bias, da, row, expert, w, at, at < columns, columns, limit, alpha, PACKED)
    high = tl.maximum(tl.abs(g0), tl.abs(u0))
    if CHUNKS > 1:
        a1 = at + BLOCK
        g1, u1, part = _gated_backward(h, bias, da, row, expert, w, a1, a1 < columns, columns, limit, alpha, PACKED)
        total += part
        high = tl.maximum(high, tl.maximum(tl.abs(g1), tl.abs(u1)))
    if CHUNKS > 2:
        a2 = at + 2 * BLOCK
        g2, u2, part = _gated_backward(h, bias, da, row, expert, w, a2, a2 < columns, columns, limit, alpha, PACKED)
        total += part
        high = tl.maximum(high, tl.maximum(tl.abs(g2), tl.abs(u2)))
    if CHUNKS > 3:
        a3 = at + 3 * BLOCK
        g3, u3, part = _gated_backward(h, bias, da, row, expert, w, a3, a3 < columns, columns, limit, alpha, PACKED)
        total += part
        high = tl.maximum(high, tl.maximum(tl.abs(g3), tl.abs(u3)))
    scale = _scale(high)
    tl.store(gain + row, tl.sum(total, 0))
    tl.store(scales + row, scale)
    by = 1.0 / scale
    _store_pairs(out, row, 0, g0, u0, by, columns, BLOCK)
    if CHUNKS > 1:
        _store_pairs(out, row, BLOCK, g1, u1, by, columns, BLOCK)
    if CHUNKS > 2:
        _store_pairs(out, row, 2 * BLOCK, g2, u2, by, columns, BLOCK)
    if CHUNKS > 3:
        _store_pairs(out, row, 3 * BLOCK, g3, u3, by, columns, BLOCK)


def _chunks(columns: int) -> dict[str, int]:
    """A power of two that a row is made of up to four times, with little beyond its end."""
    block = max(16, triton.next_power_of_2(triton.cdiv(columns, 4)))
    return {"BLOCK": block, "CHUNKS": triton.cdiv(columns, block), "num_warps": max(1, min(8, block // 128))}


def round_rows(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    rows, columns = x.shape
    out = torch.empty(rows, columns, dtype=E4M3, device=x.device)
    scales = torch.empty(rows, dtype=torch.float32, device=x.device)
    _round[(rows,)](x, out, scales, x.stride(0), columns, BLOCK=triton.next_power_of_2(columns), num_warps=8)
    return out, scales


def gather_rounded(x: torch.Tensor, scales: torch.Tensor, routes) -> tuple[torch.Tensor, torch.Tensor]:
    tokens, choices = routes.places.shape
    columns = x.shape[1]
    out = torch.empty(tokens * choices, columns, dtype=E4M3, device=x.device)
    row_scales = torch.empty(tokens * choices, dtype=torch.float32, device=x.device)
    words = columns // 4
    _gather[(tokens,)](
        x.view(torch.int32), scales, routes.places, out.view(torch.int32), row_scales, words,
        K=choices, BLOCK=triton.next_power_of_2(words), num_warps=4,
    )  # fmt: skip
    return out, row_scales


def activate_rounded(h, bias, row_expert, limit: float, alpha: float) -> tuple[torch.Tensor, torch.Tensor]:
    rows, columns = h.shape[0], h.shape[1] // 2
    out = torch.empty(rows, columns, dtype=E4M3, device=h.device)
    scales = torch.empty(rows, dtype=torch.float32, device=h.device)
    h, bias, packed = _words(h, bias)
    _activate[(rows,)](h, bias, row_expert, out, scales, columns, limit, alpha, PACKED=packed, **_chunks(columns))
    return out, scales


def activate_backward_rounded(
    h, bias, routes, da, limit: float, alpha: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rows, columns = da.shape
    out = torch.empty(rows, 2 * columns, dtype=E4M3, device=h.device)
    scales, gain = (torch.empty(rows, dtype=torch.float32, device=h.device) for _ in range(2))
    words, bias, packed = _words(h, bias)
    _activate_backward[(rows,)](
        words, bias, routes.row_expert, routes.row_weight, da, out, scales, gain, columns, limit, alpha,
        PACKED=packed, **_chunks(columns),
    )  # fmt: skip
    return out, scales, gain
