"""Top-k, softmax and a stable counting sort by expert in two passes over the tokens."""

import torch
import triton
import triton.language as tl

# They differ from run to run: one compiled kernel must do for all.
VARYING = ["tokens", "blocks"]


@triton.jit(do_not_specialize=VARYING)
def _choose(
    logits, experts, weights, counts, tokens, stride, total, K: tl.constexpr, E: tl.constexpr, BLOCK: tl.constexpr
):
    block = tl.program_id(0)
    token = block * BLOCK + tl.arange(0, BLOCK)
    e = tl.arange(0, E)
    inside = token < tokens
    x = tl.load(
        logits + token[:, None] * stride + e[None, :], mask=inside[:, None] & (e < total)[None, :], other=-float("inf")
    )
    x = x.to(tl.float32)
    highest = tl.max(x, 1)
    sum = tl.zeros([BLOCK], tl.float32)
    hits = tl.zeros([E], tl.int32)
    left = x
    for i in tl.static_range(K):
        best = tl.argmax(left, 1)
        hit = e[None, :] == best[:, None]
        value = tl.exp(tl.max(left, 1) - highest)
        sum += value
        tl.store(experts + token * K + i, best, mask=inside)
        tl.store(weights + token * K + i, value, mask=inside)
        hits += tl.sum((hit & inside[:, None]).to(tl.int32), 0)
        left = tl.where(hit, -float("inf"), left)
    tl.debug_barrier()
    for i in tl.static_range(K):
        value = tl.load(weights + token * K + i, mask=inside, other=0.0)
        tl.store(weights + token * K + i, value / sum, mask=inside)
    tl.store(counts + block * E + e, hits)


@triton.jit(do_not_specialize=VARYING)
def _place(
    experts, weights, counts, places, row_token, row_expert, row_weight, ends, tokens, blocks, total,
    K: tl.constexpr, E: tl.constexpr, BLOCK: tl.constexpr, STEP: tl.constexpr,
):  # fmt: skip
    block = tl.program_id(0)
    token = block * BLOCK + tl.arange(0, BLOCK)
    e = tl.arange(0, E)
    inside = token < tokens
    before = tl.zeros([E], tl.int32)
    all = tl.zeros([E], tl.int32)
    for at in range(0, blocks, STEP):
        other = at + tl.arange(0, STEP)
        c = tl.load(counts + other[:, None] * E + e[None, :], mask=(other < blocks)[:, None], other=0)
        all += tl.sum(c, 0)
        before += tl.sum(tl.where((other < block)[:, None], c, 0), 0)
    end = tl.cumsum(all, 0)
    base = end - all + before
    for i in tl.static_range(K):
        expert = tl.load(experts + token * K + i, mask=inside, other=0)
        hit = ((e[None, :] == expert[:, None]) & inside[:, None]).to(tl.int32)
        rank = tl.cumsum(hit, 0) - hit + base[None, :]
        place = tl.sum(hit * rank, 1)
        tl.store(places + token * K + i, place, mask=inside)
        tl.store(row_token + place, token, mask=inside)
        tl.store(row_expert + place, expert, mask=inside)
        tl.store(row_weight + place, tl.load(weights + token * K + i, mask=inside, other=0.0), mask=inside)
        base += tl.sum(hit, 0)
    if block == 0:
        tl.store(ends + e, end, mask=e < total)


@triton.jit(do_not_specialize=VARYING)
def _backward(
    experts,
    weights,
    places,
    row_gain,
    bias_gain,
    out,
    tokens,
    total,
    K: tl.constexpr,
    E: tl.constexpr,
    BLOCK: tl.constexpr,
):
    token = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    e = tl.arange(0, E)
    inside = token < tokens
    mean = tl.zeros([BLOCK], tl.float32)
    for i in tl.static_range(K):
        place = tl.load(places + token * K + i, mask=inside, other=0)
        expert = tl.load(experts + token * K + i, mask=inside, other=0)
        w = tl.load(weights + token * K + i, mask=inside, other=0.0)
        gain = tl.load(row_gain + place, mask=inside, other=0.0)
        gain += tl.load(bias_gain + token * total + expert, mask=inside, other=0.0).to(tl.float32)
        mean += w * gain
    value = tl.zeros([BLOCK, E], tl.float32)
    for i in tl.static_range(K):
        place = tl.load(places + token * K + i, mask=inside, other=0)
        expert = tl.load(experts + token * K + i, mask=inside, other=0)
        w = tl.load(weights + token * K + i, mask=inside, other=0.0)
        gain = tl.load(row_gain + place, mask=inside, other=0.0)
        gain += tl.load(bias_gain + token * total + expert, mask=inside, other=0.0).to(tl.float32)
        value = tl.where(e[None, :] == expert[:, None], (w * (gain - mean))[:, None], value)
    at = token[:, None] * total + e[None, :]
    tl.store(out + at, value.to(out.dtype.element_ty), mask=inside[:, None] & (e < total)[None, :])


def _block(experts: int) -> int:
    """Tokens of a program: a table of tokens by experts has to stay in registers."""
    return max(16, 2048 // experts)


def route_forward(logits: torch.Tensor, choices: int):
    tokens, total = logits.shape
    e = triton.next_power_of_2(total)
    block = _block(e)
    blocks = triton.cdiv(tokens, block)
    ints = dict(dtype=torch.int32, device=logits.device)
    floats = dict(dtype=torch.float32, device=logits.device)
    experts, places = torch.empty(tokens, choices, **ints), torch.empty(tokens, choices, **ints)
    weights = torch.empty(tokens, choices, **floats)
    counts = torch.empty(blocks, e, **ints)
    row_token, row_expert = torch.empty(tokens * choices, **ints), torch.empty(tokens * choices, **ints)
    row_weight = torch.empty(tokens * choices, **floats)
    ends = torch.empty(total, **ints)
    _choose[(blocks,)](logits, experts, weights, counts, tokens, logits.stride(0), total, K=choices, E=e, BLOCK=block)
    _place[(blocks,)](
        experts, weights, counts, places, row_token, row_expert, row_weight, ends, tokens, blocks, total,
        K=choices, E=e, BLOCK=block, STEP=64,
    )  # fmt: skip
    return experts, weights, places, row_token, row_expert, row_weight, ends


def route_backward(routes, row_gain, bias_gain, dtype):
    tokens, total = bias_gain.shape
    e = triton.next_power_of_2(total)
    block = _block(e)
    out = torch.empty(tokens, total, dtype=dtype, device=row_gain.device)
    _backward[(triton.cdiv(tokens, block),)](
        routes.experts, routes.weights, routes.places, row_gain, bias_gain.contiguous(), out, tokens, total,
        K=routes.experts.shape[1], E=e, BLOCK=block,
    )  # fmt: skip
    return out
