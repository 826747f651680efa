"""MXFP4 (OCP microscaling): 32 numbers of 4 bits (e2m1, low nibble first) share one power of two (e8m0)."""

import torch

VALUES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)


def unpack(blocks: torch.Tensor, scales: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """blocks uint8 [..., n, 16], scales uint8 [..., n]: [..., 32 n], exact in bfloat16."""
    if blocks.is_cuda:
        from kernels.mxfp4 import unpack_blocks

        return unpack_blocks(blocks, scales, dtype)
    table = torch.tensor([*VALUES, *(-v for v in VALUES)], dtype=torch.float32)
    pairs = torch.stack((table[(blocks & 15).long()], table[(blocks >> 4).long()]), -1).flatten(-2)
    return torch.ldexp(pairs, scales.int()[..., None] - 127).flatten(-2).to(dtype)
