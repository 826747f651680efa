"""Which experts a token goes to, and the place of each (token, choice) among rows sorted by expert."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Routes:
    # [tokens, choices]: the expert, its weight (softmax over the choices), the row among those sorted by expert.
    experts: torch.Tensor
    weights: torch.Tensor
    places: torch.Tensor
    # Of each sorted row: its token, its expert, its weight.
    row_token: torch.Tensor
    row_expert: torch.Tensor
    row_weight: torch.Tensor
    # End of each expert's rows.
    ends: torch.Tensor


def route(logits: torch.Tensor, choices: int) -> Routes:
    if logits.is_cuda:
        from kernels.routing import route_forward

        return Routes(*route_forward(logits, choices))
    tokens, experts = logits.shape
    top, chosen = logits.float().topk(choices, -1)
    weights = top.softmax(-1)
    row_expert, order = chosen.reshape(-1).sort(stable=True)
    places = torch.empty_like(order)
    places[order] = torch.arange(order.numel())
    ends = torch.searchsorted(row_expert, torch.arange(experts), right=True)
    return Routes(
        experts=chosen,
        weights=weights,
        places=places.view(tokens, choices),
        row_token=order // choices,
        row_expert=row_expert,
        row_weight=weights.reshape(-1)[order],
        ends=ends.to(torch.int32),
    )


def route_backward(routes: Routes, row_gain: torch.Tensor, bias_gain: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """
    Gradient of the logits. The gain of a weight is that of its sorted row (`row_gain`) plus that of its expert's output
    bias ([tokens, experts]).
    """
    if row_gain.is_cuda:
        from kernels.routing import route_backward as kernel

        return kernel(routes, row_gain, bias_gain, dtype)
    gain = row_gain[routes.places] + bias_gain.gather(1, routes.experts)
    w = routes.weights
    chosen = w * (gain - (w * gain).sum(-1, keepdim=True))
    return torch.zeros_like(bias_gain).scatter_(1, routes.experts, chosen).to(dtype)
