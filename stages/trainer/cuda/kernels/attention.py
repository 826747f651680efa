"""
Packed causal attention with windows and sinks, forward and backward, without atomics: the result is the same each time.

A program of the forward pass, and of the gradient of queries, takes OWN query rows of HEADS heads that share their keys;
one of the gradient of keys takes OWN keys and walks over the queries of all heads that share them in one long loop.
`blocks` lists [first token, end of its row, start of its row] for each BLOCK tokens of a row; a block has PARTS programs.
Keys wholly visible need no mask:

    keys   |start ... [cut by the window] [all visible] [cut by the diagonal]|
"""

from dataclasses import dataclass

import torch
import triton
import triton.language as tl

BLOCK = 128
# Differs from run to run: one compiled kernel must do for all.
VARYING = ["tokens"]
LOG2E = tl.constexpr(1.4426950408889634)


@triton.jit
def _span(first, start, end, window, OWN: tl.constexpr, N: tl.constexpr, WINDOWED: tl.constexpr):
    """Keys of a block of queries: where they begin, where all see them, where the diagonal begins, where they stop."""
    whole = start + (first - start) // N * N
    low = start
    seen = start
    if WINDOWED:
        low = start + (tl.maximum(start, first - window + 1) - start) // N * N
        seen = start + tl.cdiv(tl.maximum(first + OWN - window - start, 0), N) * N
        seen = tl.minimum(tl.maximum(seen, low), whole)
    return low, seen, whole, tl.minimum(first + OWN, end)


@triton.jit
def _hide(x, rows, columns, end, window, instead, WINDOWED: tl.constexpr):
    seen = (rows[:, None] >= columns[None, :]) & (columns[None, :] < end)
    if WINDOWED:
        seen = seen & (rows[:, None] - columns[None, :] < window)
    return tl.where(seen, x, instead)


@triton.jit
def _forward_part(
    query, acc, high, total, k, v, stride_k, stride_v, rows, low, stop, end, window, scale,
    D: tl.constexpr, N: tl.constexpr, WINDOWED: tl.constexpr, MASKED: tl.constexpr,
):  # fmt: skip
    d = tl.arange(0, D)
    for at in tl.range(low, stop, N):
        columns = at + tl.arange(0, N)
        inside = columns < end
        place = columns.to(tl.int64)
        key = tl.load(k + place[None, :] * stride_k + d[:, None], mask=inside[None, :], other=0.0)
        s = tl.dot(query, key) * scale
        if MASKED:
            s = _hide(s, rows, columns, end, window, -1.0e30, WINDOWED)
        top = tl.maximum(high, tl.max(s, 1))
        p = tl.math.exp2(s - top[:, None])
        if MASKED:
            # A row whose keys so far are all hidden has no maximum to speak of.
            p = tl.where(s > -1.0e29, p, 0.0)
        shrink = tl.math.exp2(high - top)
        value = tl.load(v + place[:, None] * stride_v + d[None, :], mask=inside[:, None], other=0.0)
        acc = tl.dot(p.to(value.dtype), value, acc * shrink[:, None])
        total = total * shrink + tl.sum(p, 1)
        high = top
    return acc, high, total


@triton.jit(do_not_specialize=VARYING)
def _forward(
    q, k, v, sinks, out, lse, blocks, stride_q, stride_k, stride_v, stride_o, tokens, window, scale,
    GROUP: tl.constexpr, HEADS: tl.constexpr, D: tl.constexpr, OWN: tl.constexpr, N: tl.constexpr, PARTS: tl.constexpr,
    WINDOWED: tl.constexpr, SINKS: tl.constexpr,
):  # fmt: skip
    block = tl.program_id(0) // PARTS
    first = tl.load(blocks + 3 * block) + tl.program_id(0) % PARTS * OWN
    end = tl.load(blocks + 3 * block + 1)
    start = tl.load(blocks + 3 * block + 2)
    own = tl.arange(0, HEADS * OWN)
    rows = first + own % OWN
    heads = tl.program_id(1) * HEADS + own // OWN
    d = tl.arange(0, D)
    inside = rows < end
    at = rows[:, None].to(tl.int64)
    query = tl.load(q + at * stride_q + heads[:, None] * D + d[None, :], mask=inside[:, None], other=0.0)
    kv = tl.program_id(1) * HEADS // GROUP
    k += kv * D
    v += kv * D
    acc = tl.zeros([HEADS * OWN, D], tl.float32)
    high = tl.full([HEADS * OWN], -1.0e30, tl.float32)
    total = tl.zeros([HEADS * OWN], tl.float32)
    by = scale * LOG2E
    low, seen, whole, stop = _span(first, start, end, window, OWN, N, WINDOWED)
    if WINDOWED:
        acc, high, total = _forward_part(
            query, acc, high, total, k, v, stride_k, stride_v, rows, low, seen, end, window, by, D, N, True, True
        )
    acc, high, total = _forward_part(
        query, acc, high, total, k, v, stride_k, stride_v, rows, seen, whole, end, window, by, D, N, False, False
    )
    acc, high, total = _forward_part(
        query, acc, high, total, k, v, stride_k, stride_v, rows, whole, stop, end, window, by, D, N, WINDOWED, True
    )
    if SINKS:
        sink = tl.load(sinks + heads).to(tl.float32) * LOG2E
        top = tl.maximum(high, sink)
        shrink = tl.math.exp2(high - top)
        total = total * shrink + tl.math.exp2(sink - top)
        acc = acc * shrink[:, None]
        high = top
    total = tl.where(inside, total, 1.0)
    result = (acc / total[:, None]).to(out.dtype.element_ty)
    tl.store(out + at * stride_o + heads[:, None] * D + d[None, :], result, mask=inside[:, None])
    tl.store(lse + heads.to(tl.int64) * tokens + rows, (high + tl.math.log2(total)) / LOG2E, mask=inside)


@triton.jit
def _queries_part(
    dq, query, g, total, minus, k, v, stride_k, stride_v, rows, low, stop, end, window, scale,
    D: tl.constexpr, N: tl.constexpr, WINDOWED: tl.constexpr, MASKED: tl.constexpr,
):  # fmt: skip
    d = tl.arange(0, D)
    for at in tl.range(low, stop, N):
        columns = at + tl.arange(0, N)
        inside = columns < end
        place = columns.to(tl.int64)
        key = tl.load(k + place[None, :] * stride_k + d[:, None], mask=inside[None, :], other=0.0)
        value = tl.load(v + place[None, :] * stride_v + d[:, None], mask=inside[None, :], other=0.0)
        p = tl.math.exp2(tl.dot(query, key) * (scale * LOG2E) - total[:, None])
        if MASKED:
            p = _hide(p, rows, columns, end, window, 0.0, WINDOWED)
        ds = p * (tl.dot(g, value) - minus[:, None])
        dq = tl.dot(ds.to(key.dtype), tl.trans(key), dq)
    return dq


@triton.jit(do_not_specialize=VARYING)
def _queries(
    q, k, v, gradient, out, lse, inner, dq_out, blocks, stride_q, stride_k, stride_v, stride_g, stride_o, stride_dq,
    tokens, window, scale,
    GROUP: tl.constexpr, HEADS: tl.constexpr, D: tl.constexpr, OWN: tl.constexpr, N: tl.constexpr, PARTS: tl.constexpr,
    WINDOWED: tl.constexpr,
):  # fmt: skip
    """Also leaves rowsum(dO * O) in `inner`, for the gradient of keys."""
    block = tl.program_id(0) // PARTS
    first = tl.load(blocks + 3 * block) + tl.program_id(0) % PARTS * OWN
    end = tl.load(blocks + 3 * block + 1)
    start = tl.load(blocks + 3 * block + 2)
    own = tl.arange(0, HEADS * OWN)
    rows = first + own % OWN
    heads = tl.program_id(1) * HEADS + own // OWN
    d = tl.arange(0, D)
    inside = rows < end
    at = rows[:, None].to(tl.int64)
    column = heads[:, None] * D + d[None, :]
    query = tl.load(q + at * stride_q + column, mask=inside[:, None], other=0.0)
    g = tl.load(gradient + at * stride_g + column, mask=inside[:, None], other=0.0)
    o = tl.load(out + at * stride_o + column, mask=inside[:, None], other=0.0)
    minus = tl.sum(g.to(tl.float32) * o.to(tl.float32), 1)
    one = heads.to(tl.int64) * tokens + rows
    tl.store(inner + one, minus, mask=inside)
    total = tl.load(lse + one, mask=inside, other=0.0) * LOG2E
    kv = tl.program_id(1) * HEADS // GROUP
    k += kv * D
    v += kv * D
    dq = tl.zeros([HEADS * OWN, D], tl.float32)
    low, seen, whole, stop = _span(first, start, end, window, OWN, N, WINDOWED)
    if WINDOWED:
        dq = _queries_part(
            dq, query, g, total, minus, k, v, stride_k, stride_v, rows, low, seen, end, window, scale, D, N, True, True
        )
    dq = _queries_part(
        dq, query, g, total, minus, k, v, stride_k, stride_v, rows, seen, whole, end, window, scale, D, N, False, False
    )
    dq = _queries_part(
        dq,
        query,
        g,
        total,
        minus,
        k,
        v,
        stride_k,
        stride_v,
        rows,
        whole,
        stop,
        end,
        window,
        scale,
        D,
        N,
        WINDOWED,
        True,
    )
    tl.store(dq_out + at * stride_dq + column, (dq * scale).to(dq_out.dtype.element_ty), mask=inside[:, None])


@triton.jit(do_not_specialize=VARYING)
def _keys(
    q, k, v, gradient, lse, inner, dk_out, dv_out, blocks, stride_q, stride_k, stride_v, stride_g, stride_dk, stride_dv,
    tokens, window, scale,
    GROUP: tl.constexpr, D: tl.constexpr, OWN: tl.constexpr, M: tl.constexpr, PARTS: tl.constexpr, WINDOWED: tl.constexpr,
):  # fmt: skip
    # The list has queries with the most work first; keys have the most when queries have the least.
    block = tl.num_programs(0) // PARTS - 1 - tl.program_id(0) // PARTS
    kv = tl.program_id(1)
    first = tl.load(blocks + 3 * block) + tl.program_id(0) % PARTS * OWN
    end = tl.load(blocks + 3 * block + 1)
    columns = first + tl.arange(0, OWN)
    d = tl.arange(0, D)
    inside = columns < end
    at = columns[:, None].to(tl.int64)
    key = tl.load(k + at * stride_k + kv * D + d[None, :], mask=inside[:, None], other=0.0)
    value = tl.load(v + at * stride_v + kv * D + d[None, :], mask=inside[:, None], other=0.0)
    dk = tl.zeros([OWN, D], tl.float32)
    dv = tl.zeros([OWN, D], tl.float32)
    stop = end
    if WINDOWED:
        stop = tl.minimum(end, first + OWN + window - 1)
    steps = tl.cdiv(tl.maximum(stop - first, 0), M)
    for i in tl.range(0, GROUP * steps):
        head = kv * GROUP + i // steps
        rows = first + i % steps * M + tl.arange(0, M)
        there = rows < end
        place = rows.to(tl.int64)
        one = head.to(tl.int64) * tokens + rows
        query = tl.load(q + place[None, :] * stride_q + (head * D + d)[:, None], mask=there[None, :], other=0.0)
        g = tl.load(gradient + place[:, None] * stride_g + (head * D + d)[None, :], mask=there[:, None], other=0.0)
        total = tl.load(lse + one, mask=there, other=0.0) * LOG2E
        minus = tl.load(inner + one, mask=there, other=0.0)
        # Transposed: [keys, queries]. Queries past the row's end are zero and have no gradient.
        p = tl.math.exp2(tl.dot(key, query) * (scale * LOG2E) - total[None, :])
        seen = rows[None, :] >= columns[:, None]
        if WINDOWED:
            seen = seen & (rows[None, :] - columns[:, None] < window)
        p = tl.where(seen, p, 0.0)
        dv = tl.dot(p.to(g.dtype), g, dv)
        ds = p * (tl.dot(value, tl.trans(g)) - minus[None, :])
        dk = tl.dot(ds.to(query.dtype), tl.trans(query), dk)
    to = kv * D + d[None, :]
    tl.store(dk_out + at * stride_dk + to, (dk * scale).to(dk_out.dtype.element_ty), mask=inside[:, None])
    tl.store(dv_out + at * stride_dv + to, dv.to(dv_out.dtype.element_ty), mask=inside[:, None])


@dataclass(frozen=True)
class Tiles:
    """Shapes that were fastest on an H200: own rows, rows walked over at a time, heads of a program, warps, stages."""

    own: int
    other: int
    heads: int
    warps: int
    stages: int


# By (head size up to 64, windowed).
FORWARD = {
    (True, False): Tiles(64, 64, 2, 8, 3),
    (True, True): Tiles(64, 64, 2, 4, 3),
    (False, False): Tiles(128, 64, 1, 8, 2),
    (False, True): Tiles(64, 64, 2, 8, 2),
}
QUERIES = {
    (True, False): Tiles(64, 64, 1, 4, 2),
    (True, True): Tiles(64, 64, 1, 4, 2),
    (False, False): Tiles(128, 32, 1, 8, 2),
    (False, True): Tiles(64, 32, 2, 8, 2),
}
KEYS = {
    (True, False): Tiles(64, 64, 1, 4, 3),
    (True, True): Tiles(64, 64, 1, 4, 3),
    (False, False): Tiles(64, 32, 1, 8, 2),
    (False, True): Tiles(64, 32, 1, 8, 2),
}


def _check(*tensors: torch.Tensor) -> None:
    for t in tensors:
        assert t.stride(2) == 1 and t.stride(1) == t.shape[2], "heads of a token lie side by side"


def attention_forward(q, k, v, sinks, window, blocks, out):
    """Writes the output to `out`; returns lse."""
    tokens, heads, dim = q.shape
    _check(q, k, v, out)
    lse = q.new_empty(heads, tokens, dtype=torch.float32)
    t = FORWARD[dim <= 64, window > 0]
    group = heads // k.shape[1]
    together = t.heads if group % t.heads == 0 else 1
    parts = BLOCK // t.own
    _forward[(blocks.shape[0] * parts, heads // together)](
        q, k, v, q if sinks is None else sinks, out, lse, blocks,
        q.stride(0), k.stride(0), v.stride(0), out.stride(0), tokens, window, dim**-0.5,
        GROUP=group, HEADS=together, D=dim, OWN=t.own, N=t.other, PARTS=parts, WINDOWED=window > 0, SINKS=sinks is not None,
        num_warps=t.warps, num_stages=t.stages,
    )  # fmt: skip
    return lse


def attention_backward(gradient, q, k, v, out, lse, window, blocks, into):
    tokens, heads, dim = q.shape
    dq, dk, dv = into
    _check(gradient, q, k, v, out, dq, dk, dv)
    inner = torch.empty_like(lse)
    group = heads // k.shape[1]
    shared = dict(GROUP=group, D=dim, WINDOWED=window > 0)
    strides = (q.stride(0), k.stride(0), v.stride(0), gradient.stride(0))
    t = QUERIES[dim <= 64, window > 0]
    together = t.heads if group % t.heads == 0 else 1
    parts = BLOCK // t.own
    _queries[(blocks.shape[0] * parts, heads // together)](
        q, k, v, gradient, out, lse, inner, dq, blocks, *strides, out.stride(0), dq.stride(0), tokens, window, dim**-0.5,
        HEADS=together, OWN=t.own, N=t.other, PARTS=parts, num_warps=t.warps, num_stages=t.stages, **shared,
    )  # fmt: skip
    t = KEYS[dim <= 64, window > 0]
    parts = BLOCK // t.own
    _keys[(blocks.shape[0] * parts, k.shape[1])](
        q, k, v, gradient, lse, inner, dk, dv, blocks, *strides, dk.stride(0), dv.stride(0), tokens, window, dim**-0.5,
        OWN=t.own, M=t.other, PARTS=parts, num_warps=t.warps, num_stages=t.stages, **shared,
    )  # fmt: skip
