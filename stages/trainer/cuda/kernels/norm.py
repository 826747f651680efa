"""RMSNorm forward and backward, a row a program, with the residual stream's sum in the same pass."""

import torch
import triton
import triton.language as tl


@triton.jit
def _forward(
    x, y, weight, total, out, stride_x, stride_y, stride_o, columns, eps, ADD: tl.constexpr, BLOCK: tl.constexpr
):
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, BLOCK)
    mask = at < columns
    v = tl.load(x + row * stride_x + at, mask=mask, other=0.0).to(tl.float32)
    if ADD:
        v += tl.load(y + row * stride_y + at, mask=mask, other=0.0).to(tl.float32)
        # What follows must see the sum as it is kept.
        kept = v.to(total.dtype.element_ty)
        tl.store(total + row * columns + at, kept, mask=mask)
        v = kept.to(tl.float32)
    scale = 1.0 / tl.sqrt(tl.sum(v * v, 0) / columns + eps)
    w = tl.load(weight + at, mask=mask, other=0.0).to(tl.float32)
    tl.store(out + row * stride_o + at, (w * (v * scale)).to(out.dtype.element_ty), mask=mask)


@triton.jit
def _backward(
    gradient, x, weight, residual, out, stride_g, stride_x, stride_r, stride_o, columns, eps, BLOCK: tl.constexpr
):
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, BLOCK)
    mask = at < columns
    v = tl.load(x + row * stride_x + at, mask=mask, other=0.0).to(tl.float32)
    g = tl.load(gradient + row * stride_g + at, mask=mask, other=0.0).to(tl.float32)
    g *= tl.load(weight + at, mask=mask, other=0.0).to(tl.float32)
    r = tl.load(residual + row * stride_r + at, mask=mask, other=0.0).to(tl.float32)
    scale = 1.0 / tl.sqrt(tl.sum(v * v, 0) / columns + eps)
    inner = tl.sum(g * v, 0) / columns
    value = r + scale * (g - v * scale * scale * inner)
    tl.store(out + row * stride_o + at, value.to(out.dtype.element_ty), mask=mask)


@triton.jit
def _sum_backward(
    rows,
    places,
    other,
    x,
    weight,
    residual,
    out,
    stride_x,
    stride_r,
    stride_o,
    columns,
    eps,
    K: tl.constexpr,
    BLOCK: tl.constexpr,
):
    token = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, BLOCK)
    mask = at < columns
    g = tl.load(other + token * columns + at, mask=mask, other=0.0).to(tl.float32)
    for i in tl.static_range(K):
        place = tl.load(places + token * K + i).to(tl.int64)
        g += tl.load(rows + place * columns + at, mask=mask, other=0.0).to(tl.float32)
    v = tl.load(x + token * stride_x + at, mask=mask, other=0.0).to(tl.float32)
    g *= tl.load(weight + at, mask=mask, other=0.0).to(tl.float32)
    r = tl.load(residual + token * stride_r + at, mask=mask, other=0.0).to(tl.float32)
    scale = 1.0 / tl.sqrt(tl.sum(v * v, 0) / columns + eps)
    inner = tl.sum(g * v, 0) / columns
    value = r + scale * (g - v * scale * scale * inner)
    tl.store(out + token * stride_o + at, value.to(out.dtype.element_ty), mask=mask)


def norm_forward(
    x: torch.Tensor, y: torch.Tensor | None, weight: torch.Tensor, eps: float, out: torch.Tensor
) -> torch.Tensor:
    """Writes the norm of x + y to `out`; returns the sum."""
    rows, columns = x.shape
    total = x if y is None else x.new_empty(rows, columns)
    other = x if y is None else y
    strides = (x.stride(0), other.stride(0), out.stride(0))
    block = triton.next_power_of_2(columns)
    _forward[(rows,)](x, other, weight, total, out, *strides, columns, eps, ADD=y is not None, BLOCK=block, num_warps=8)
    return total


def norm_backward(gradient, x, weight, eps, residual, out):
    rows, columns = x.shape
    strides = (gradient.stride(0), x.stride(0), residual.stride(0), out.stride(0))
    block = triton.next_power_of_2(columns)
    _backward[(rows,)](gradient, x, weight, residual, out, *strides, columns, eps, BLOCK=block, num_warps=8)
    return out


def sum_norm_backward(rows, places, other, x, weight, eps, residual, out):
    tokens, columns = x.shape
    strides = (x.stride(0), residual.stride(0), out.stride(0))
    block = triton.next_power_of_2(columns)
    _sum_backward[(tokens,)](
        rows,
        places,
        other,
        x,
        weight,
        residual,
        out,
        *strides,
        columns,
        eps,
        K=places.shape[1],
        BLOCK=block,
        num_warps=8,
    )
    return out
