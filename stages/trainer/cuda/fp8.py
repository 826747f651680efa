"""
Products with frozen experts in float8 (e4m3), on GPUs that have them: weights are rounded once, with a power of two for
each output, so that MXFP4's values stay exact; rows are rounded as they are made, each with a scale of its own.
"""

import torch

from failure import Failure

LARGEST = 448.0
E4M3 = torch.float8_e4m3fn


def check_device(device: torch.device) -> None:
    if device.type != "cuda" or torch.cuda.get_device_capability(device) < (9, 0):
        what = "fp8 needs a GPU with float8 products (Hopper or newer)"
        raise Failure("unsupported-gpu", what, "Leave fp8 out of the trainer's options.")


class Rounded:
    """Matrices [experts, outputs, inputs] and what each output counts."""

    def __init__(self, experts: int, outputs: int, inputs: int, device: torch.device):
        self.values = torch.empty(experts, outputs, inputs, dtype=E4M3, device=device)
        self.scales = torch.empty(experts, outputs, dtype=torch.float32, device=device)

    def put(self, expert: int, matrix: torch.Tensor) -> None:
        """`matrix` is [outputs, inputs]."""
        wide = matrix.float()
        scale = torch.exp2(torch.ceil(torch.log2((wide.abs().amax(1) / LARGEST).clamp(min=2.0**-100))))
        self.values[expert] = (wide / scale[:, None]).to(E4M3)
        self.scales[expert] = scale

    def product(self, rows: torch.Tensor, scales: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
        return torch._scaled_grouped_mm(
            rows,
            self.values.transpose(1, 2),
            scales,
            self.scales,
            offs=ends,
            out_dtype=torch.bfloat16,
            use_fast_accum=True,
        )
