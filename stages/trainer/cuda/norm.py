"""RMSNorm (Zhang and Sennrich 2019) with a frozen weight, and the sum of the residual stream that stands before it."""

import torch


def norm(x: torch.Tensor, weight: torch.Tensor, eps: float, out: torch.Tensor | None = None) -> torch.Tensor:
    out = torch.empty_like(x) if out is None else out
    if x.is_cuda:
        from kernels.norm import norm_forward

        norm_forward(x, None, weight, eps, out)
        return out
    return out.copy_(_norm(x, weight, eps))


def add_norm(x: torch.Tensor, y: torch.Tensor, weight: torch.Tensor, eps: float, out: torch.Tensor) -> torch.Tensor:
    """Returns x + y; writes its norm to `out`."""
    if x.is_cuda:
        from kernels.norm import norm_forward

        return norm_forward(x, y, weight, eps, out)
    total = x + y
    out.copy_(_norm(total, weight, eps))
    return total


def norm_backward(
    gradient: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, eps: float, residual: torch.Tensor, out: torch.Tensor
) -> torch.Tensor:
    """Gradient of x from that of norm(x), plus that of the stream itself; written to `out`."""
    if x.is_cuda:
        from kernels.norm import norm_backward as kernel

        return kernel(gradient, x, weight, eps, residual, out)
    g, v = gradient.float() * weight.float(), x.float()
    scale = torch.rsqrt(v.pow(2).mean(-1, keepdim=True) + eps)
    inner = (g * v).mean(-1, keepdim=True)
    return out.copy_(residual.float() + scale * (g - v * scale * scale * inner))


def sum_norm_backward(
    rows: torch.Tensor, places: torch.Tensor, other: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, eps: float,
    residual: torch.Tensor, out: torch.Tensor,
) -> torch.Tensor:  # fmt: skip
    """The same, where the gradient of norm(x) is `other` plus the rows at `places` [tokens, choices]."""
    if x.is_cuda:
        from kernels.norm import sum_norm_backward as kernel

        return kernel(rows, places, other, x, weight, eps, residual, out)
    return norm_backward(rows[places].float().sum(1) + other.float(), x, weight, eps, residual, out)


def _norm(x: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
    v = x.float()
    return (weight.float() * (v * torch.rsqrt(v.pow(2).mean(-1, keepdim=True) + eps))).to(x.dtype)
