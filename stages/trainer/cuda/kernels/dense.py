"""silu(gate) * up and its gradient, one pass each."""

import torch
import triton
import triton.language as tl

BLOCK = 1024


@triton.jit
def _activate(h, out, stride, stride_o, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    mask = at < columns
    gate = tl.load(h + row * stride + at, mask=mask, other=0.0).to(tl.float32)
    up = tl.load(h + row * stride + columns + at, mask=mask, other=0.0).to(tl.float32)
    tl.store(out + row * stride_o + at, (gate * tl.sigmoid(gate) * up).to(out.dtype.element_ty), mask=mask)


@triton.jit
def _backward(h, da, out, stride, stride_d, stride_o, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    mask = at < columns
    gate = tl.load(h + row * stride + at, mask=mask, other=0.0).to(tl.float32)
    up = tl.load(h + row * stride + columns + at, mask=mask, other=0.0).to(tl.float32)
    d = tl.load(da + row * stride_d + at, mask=mask, other=0.0).to(tl.float32)
    s = tl.sigmoid(gate)
    tl.store(out + row * stride_o + at, (d * up * (s + gate * s * (1.0 - s))).to(out.dtype.element_ty), mask=mask)
    tl.store(out + row * stride_o + columns + at, (d * gate * s).to(out.dtype.element_ty), mask=mask)


def activate_rows(h: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    rows, columns = out.shape
    _activate[(rows, triton.cdiv(columns, BLOCK))](
        h, out, h.stride(0), out.stride(0), columns, BLOCK=BLOCK, num_warps=4
    )
    return out


def activate_rows_backward(h: torch.Tensor, da: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    rows, columns = da.shape
    grid = (rows, triton.cdiv(columns, BLOCK))
    _backward[grid](h, da, out, h.stride(0), da.stride(0), out.stride(0), columns, BLOCK=BLOCK, num_warps=4)
    return out
