"""What happens to rows between the experts' products: gathered, activated, weighted and summed, one pass each."""

import torch
import triton
import triton.language as tl

# Columns of a program: a row in pieces keeps more of them under way.
BLOCK = 1024


@triton.jit
def _gather(x, places, out, stride, columns, K: tl.constexpr, BLOCK: tl.constexpr):
    """By token, so that its row is read once."""
    token = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, BLOCK)
    mask = at < columns
    row = tl.load(x + token * stride + at, mask=mask)
    for i in tl.static_range(K):
        place = tl.load(places + token * K + i).to(tl.int64)
        tl.store(out + place * columns + at, row, mask=mask)


@triton.jit
def _combine(stream, y, bias, experts, weights, places, out, stride, columns, K: tl.constexpr, BLOCK: tl.constexpr):
    token = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, BLOCK)
    mask = at < columns
    total = tl.load(stream + token * stride + at, mask=mask, other=0.0).to(tl.float32)
    for i in tl.static_range(K):
        place = tl.load(places + token * K + i).to(tl.int64)
        expert = tl.load(experts + token * K + i).to(tl.int64)
        w = tl.load(weights + token * K + i)
        value = tl.load(y + place * columns + at, mask=mask, other=0.0).to(tl.float32)
        total += w * (value + tl.load(bias + expert * columns + at, mask=mask, other=0.0).to(tl.float32))
    tl.store(out + token * columns + at, total.to(out.dtype.element_ty), mask=mask)


@triton.jit
def _pairs(x, row, at, mask, columns, PACKED: tl.constexpr):
    """Gate and up lie side by side. Two bfloat16 are read as one 32-bit word, of which each is a half of a float32."""
    if PACKED:
        word = tl.load(x + row * columns + at, mask=mask, other=0)
        return (word << 16).to(tl.float32, bitcast=True), (word & -65536).to(tl.float32, bitcast=True)
    first = x + row * (2 * columns) + 2 * at
    return tl.load(first, mask=mask, other=0.0).to(tl.float32), tl.load(first + 1, mask=mask, other=0.0).to(tl.float32)


@triton.jit
def _bits(x):
    return x.to(tl.bfloat16).to(tl.int16, bitcast=True).to(tl.int32)


@triton.jit
def _sigmoid(x):
    """A root and a square take fewer instructions than a division."""
    root = tl.rsqrt(1.0 + tl.math.exp2(x * -1.4426950408889634))
    return root * root


@triton.jit
def _gated(h, bias, row, expert, at, mask, columns, limit, alpha, PACKED: tl.constexpr):
    gate, up = _pairs(h, row, at, mask, columns, PACKED)
    gate_bias, up_bias = _pairs(bias, expert, at, mask, columns, PACKED)
    gate = tl.minimum(gate + gate_bias, limit)
    up = tl.minimum(tl.maximum(up + up_bias, -limit), limit)
    return (up + 1.0) * gate * _sigmoid(alpha * gate)


@triton.jit
def _gated_backward(h, bias, da, row, expert, w, at, mask, columns, limit, alpha, PACKED: tl.constexpr):
    """Gradients of gate and up, weighted, and da * a, not weighted."""
    gate_in, up_in = _pairs(h, row, at, mask, columns, PACKED)
    d = tl.load(da + row * columns + at, mask=mask, other=0.0).to(tl.float32)
    gate_bias, up_bias = _pairs(bias, expert, at, mask, columns, PACKED)
    gate_in += gate_bias
    up_in += up_bias
    gate = tl.minimum(gate_in, limit)
    up = tl.minimum(tl.maximum(up_in, -limit), limit) + 1.0
    s = _sigmoid(alpha * gate)
    glu = gate * s
    gain = d * up * glu
    d *= w
    d_up = tl.where((up_in <= limit) & (up_in >= -limit), d * glu, 0.0)
    d_gate = tl.where(gate_in <= limit, d * up * (s + alpha * glu * (1.0 - s)), 0.0)
    return d_gate, d_up, gain


@triton.jit
def _activate(h, bias, row_expert, out, columns, limit, alpha, PACKED: tl.constexpr, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    expert = tl.load(row_expert + row).to(tl.int64)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    mask = at < columns
    value = _gated(h, bias, row, expert, at, mask, columns, limit, alpha, PACKED)
    tl.store(out + row * columns + at, value.to(out.dtype.element_ty), mask=mask)


@triton.jit
def _activate_backward(
    h, bias, row_expert, row_weight, da, gain, columns, limit, alpha, PACKED: tl.constexpr, BLOCK: tl.constexpr
):
    row = tl.program_id(0).to(tl.int64)
    expert = tl.load(row_expert + row).to(tl.int64)
    w = tl.load(row_weight + row)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    mask = at < columns
    d_gate, d_up, part = _gated_backward(h, bias, da, row, expert, w, at, mask, columns, limit, alpha, PACKED)
    tl.store(gain + row * tl.num_programs(1) + tl.program_id(1), tl.sum(part, 0))
    if PACKED:
        tl.store(h + row * columns + at, (_bits(d_gate) & 65535) | (_bits(d_up) << 16), mask=mask)
    else:
        first = h + row * (2 * columns) + 2 * at
        tl.store(first, d_gate.to(h.dtype.element_ty), mask=mask)
        tl.store(first + 1, d_up.to(h.dtype.element_ty), mask=mask)


def gather_rows(x: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    tokens, choices = places.shape
    columns = x.shape[1]
    out = x.new_empty(tokens * choices, columns)
    block = triton.next_power_of_2(columns)
    _gather[(tokens,)](x, places, out, x.stride(0), columns, K=choices, BLOCK=block, num_warps=8)
    return out


def combine_rows(stream: torch.Tensor, y: torch.Tensor, bias: torch.Tensor, routes) -> torch.Tensor:
    tokens, choices = routes.places.shape
    columns = y.shape[1]
    out = y.new_empty(tokens, columns)
    _combine[(tokens,)](
        stream, y, bias, routes.experts, routes.weights, routes.places, out, stream.stride(0), columns,
        K=choices, BLOCK=triton.next_power_of_2(columns), num_warps=8,
    )  # fmt: skip
    return out


def activate_rows(
    h: torch.Tensor, bias: torch.Tensor, row_expert: torch.Tensor, limit: float, alpha: float
) -> torch.Tensor:
    rows, columns = h.shape[0], h.shape[1] // 2
    out = h.new_empty(rows, columns)
    h, bias, packed = _words(h, bias)
    grid = (rows, triton.cdiv(columns, BLOCK))
    _activate[grid](h, bias, row_expert, out, columns, limit, alpha, PACKED=packed, BLOCK=BLOCK, num_warps=4)
    return out


def activate_rows_backward(h: torch.Tensor, bias: torch.Tensor, routes, da: torch.Tensor, limit: float, alpha: float):
    rows, columns = da.shape
    parts = triton.cdiv(columns, BLOCK)
    gain = torch.empty(rows, parts, dtype=torch.float32, device=h.device)
    words, bias, packed = _words(h, bias)
    _activate_backward[(rows, parts)](
        words, bias, routes.row_expert, routes.row_weight, da, gain, columns, limit, alpha,
        PACKED=packed, BLOCK=BLOCK, num_warps=4,
    )  # fmt: skip
    return h, gain.sum(1)


def _words(h: torch.Tensor, bias: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, bool]:
    if h.dtype == bias.dtype == torch.bfloat16:
        return h.view(torch.int32), bias.view(torch.int32), True
    return h, bias, False
