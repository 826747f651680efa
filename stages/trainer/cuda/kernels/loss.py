"""Logits to loss and gradient in place: one program a row, which reads it twice and writes it once."""

import torch
import triton
import triton.language as tl


@triton.jit
def _softmax_minus_one_hot(logits, labels, losses, stride, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    logits += row * stride
    label = tl.load(labels + row)
    chosen = tl.load(logits + label).to(tl.float32)
    high = tl.full([BLOCK], -1.0e30, tl.float32)
    total = tl.zeros([BLOCK], tl.float32)
    at = tl.arange(0, BLOCK)
    for start in range(0, columns, BLOCK):
        x = tl.load(logits + start + at, mask=start + at < columns, other=-float("inf")).to(tl.float32)
        top = tl.maximum(high, x)
        total = total * tl.exp(high - top) + tl.exp(x - top)
        high = top
    peak = tl.max(high, 0)
    sum = tl.log(tl.sum(total * tl.exp(high - peak), 0)) + peak
    tl.store(losses + row, sum - chosen)
    # The first read has left the row's end in the caches: walk back.
    blocks = tl.cdiv(columns, BLOCK)
    for i in range(0, blocks):
        place = (blocks - 1 - i) * BLOCK + at
        x = tl.load(logits + place, mask=place < columns, other=0.0).to(tl.float32)
        p = tl.exp(x - sum) - tl.where(place == label, 1.0, 0.0)
        tl.store(logits + place, p.to(logits.dtype.element_ty), mask=place < columns)


def softmax_minus_one_hot(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    rows, columns = logits.shape
    losses = torch.empty(rows, dtype=torch.float32, device=logits.device)
    _softmax_minus_one_hot[(rows,)](logits, labels, losses, logits.stride(0), columns, BLOCK=4096, num_warps=8)
    return losses
