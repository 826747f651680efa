"""Unpacks MXFP4 in one pass: 4.25 bits a number in, 16 out."""

import torch
import triton
import triton.language as tl

# Blocks of 32 numbers that a program unpacks.
BLOCK = 64


@triton.jit
def _value(code):
    """e2m1: sign, two bits of exponent, one of mantissa; exponent 0 is 0 or a half."""
    exponent = ((code >> 1) & 3).to(tl.int32)
    mantissa = (code & 1).to(tl.float32)
    normal = (1.0 + 0.5 * mantissa) * (1 << tl.maximum(exponent - 1, 0)).to(tl.float32)
    value = tl.where(exponent == 0, 0.5 * mantissa, normal)
    return tl.where((code & 8) != 0, -value, value)


@triton.jit
def _unpack(blocks, scales, out, total, BLOCK: tl.constexpr):
    block = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = block < total
    byte = tl.arange(0, 16)
    codes = tl.load(blocks + block[:, None] * 16 + byte[None, :], mask=inside[:, None], other=0).to(tl.int32)
    scale = tl.load(scales + block, mask=inside, other=127).to(tl.float32)
    by = tl.math.exp2(scale - 127.0)[:, None]
    values = tl.reshape(tl.join(_value(codes & 15) * by, _value(codes >> 4) * by), (BLOCK, 32))
    at = block[:, None] * 32 + tl.arange(0, 32)[None, :]
    tl.store(out + at, values.to(out.dtype.element_ty), mask=inside[:, None])


def unpack_blocks(blocks: torch.Tensor, scales: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    out = torch.empty(*scales.shape[:-1], scales.shape[-1] * 32, dtype=dtype, device=blocks.device)
    total = scales.numel()
    _unpack[(triton.cdiv(total, BLOCK),)](blocks, scales, out, total, BLOCK=BLOCK, num_warps=4)
    return out
