"""AdamW (Loshchilov and Hutter 2019), fused, on one flat vector, with clipping; and the learning rate of each step."""

import math

import torch

from job import Options
from lora import Factors


class AdamW:
    def __init__(self, factors: Factors, options: Options):
        self.factors, self.options = factors, options
        self.mean = torch.zeros_like(factors.weights)
        self.square = torch.zeros_like(factors.weights)

    def step(self, lr: float, number: int) -> torch.Tensor:
        """Clips the gradient and updates the weights, but for a gradient that is not finite. Returns its norm before."""
        o, f = self.options, self.factors
        norm = f.gradient.norm()
        if o.max_grad_norm > 0:
            f.gradient.mul_((o.max_grad_norm / (norm + 1e-6)).clamp(max=1.0))
        # Decided on the device: the host looks at the norm later, while the next step's work is under way.
        lost = (~torch.isfinite(norm)).float()
        done = torch.full((), float(number), device=norm.device)
        if norm.device.type == "cpu" and lost.item():
            return norm
        torch._fused_adamw_(
            [f.weights], [f.gradient], [self.mean], [self.square], [], [done],
            lr=lr, beta1=o.beta1, beta2=o.beta2, weight_decay=o.weight_decay, eps=o.eps,
            amsgrad=False, maximize=False, grad_scale=None, found_inf=lost if norm.device.type == "cuda" else None,
        )  # fmt: skip
        return norm


def learning_rate(options: Options, step: int, steps: int) -> float:
    """Of step `step` (from 0) of `steps`: a linear rise that starts above zero, then the schedule down."""
    lr, warmup = options.lr, options.warmup
    if step < warmup:
        return lr * (step + 1) / (warmup + 1)
    if options.scheduler == "constant":
        return lr
    progress = (step - warmup) / max(1, steps - warmup)
    if options.scheduler == "linear":
        return lr * (1 - progress)
    return lr * (1 + math.cos(math.pi * progress)) / 2
