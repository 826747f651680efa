"""gpt-oss's experts with float8 products: the same steps as in `experts.py`, each leaving its rows rounded."""

import torch

from config import DecoderConfig
from expert_weights import ExpertWeights
from routing import Routes


def inside(up: ExpertWeights, x: torch.Tensor, routes: Routes) -> torch.Tensor:
    """Inputs of the activation, in bfloat16."""
    from kernels.experts8 import gather_rounded, round_rows

    return up.forward8.product(*gather_rounded(*round_rows(x), routes), routes.ends)


def outside(
    down: ExpertWeights, h: torch.Tensor, up_bias: torch.Tensor, routes: Routes, config: DecoderConfig
) -> torch.Tensor:
    from kernels.experts8 import activate_rounded

    a = activate_rounded(h, up_bias, routes.row_expert, config.limit, config.alpha)
    return down.forward8.product(*a, routes.ends)


def backward(
    up: ExpertWeights,
    down: ExpertWeights,
    gradient: torch.Tensor,
    h: torch.Tensor,
    routes: Routes,
    config: DecoderConfig,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradient of the sorted rows, and <da, a> of each."""
    from kernels.experts8 import activate_backward_rounded, gather_rounded, round_rows

    da = down.back8.product(*gather_rounded(*round_rows(gradient), routes), routes.ends)
    dh, scales, gain = activate_backward_rounded(h, up.bias, routes, da, config.limit, config.alpha)
    del da
    return up.back8.product(dh, scales, routes.ends), gain
