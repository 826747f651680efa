"""
gpt-oss's mixture of experts, frozen, with a backward pass by hand that keeps one tensor: the inputs of the activation.

    rows sorted by expert:  x --gate_up--> h (interleaved) --act--> a --down--> y --weighted sum by token--> out

LoRA on the experts (PEFT's `target_parameters`) has one pair of factors an expert: products over the same groups of rows.
"""

from dataclasses import dataclass

import torch

import experts8
from config import DecoderConfig
from expert_weights import ExpertWeights
from lora import Factors, Pair
from routing import Routes, route, route_backward


@dataclass
class Saved:
    routes: Routes
    # Inputs of the activation, without bias; None: to be made again.
    h: torch.Tensor | None
    # LoRA's inner products of gate_up.
    z_up: torch.Tensor | None


class Experts:
    def __init__(
        self, config: DecoderConfig, router: tuple[torch.Tensor, torch.Tensor], up: ExpertWeights, down: ExpertWeights
    ):
        self.config = config
        self.router_weight, self.router_bias = router
        self.up, self.down = up, down
        self.fp8 = False
        self.up_pair: Pair | None = None
        self.down_pair: Pair | None = None

    def bind(self, factors: Factors, at: str) -> None:
        self.up_pair = factors.pair(f"{at}.experts.gate_up_proj")
        self.down_pair = factors.pair(f"{at}.experts.down_proj")

    def round(self) -> None:
        """Makes all products of experts float8 ones from here on."""
        assert not self.up_pair and not self.down_pair, "LoRA on experts trains beside exact products"
        self.fp8 = True
        self.up.round()
        self.down.round()

    def input_room(self, tokens: int) -> torch.Tensor:
        return self.router_weight.new_empty(tokens, self.config.hidden)

    def forward(self, x: torch.Tensor, stream: torch.Tensor, keep: bool) -> tuple[torch.Tensor, Saved]:
        """Returns stream + experts(x)."""
        logits = torch.addmm(self.router_bias, x, self.router_weight.t())
        routes = route(logits, self.config.experts_per_token)
        h, z_up = self._inside(x, routes)
        if self.fp8:
            y = experts8.outside(self.down, h, self.up.bias, routes, self.config)
        else:
            a = activate(h, self.up.bias, routes.row_expert, self.config)
            y = self.down.product(a, routes.ends)
        if self.down_pair:
            self.down_pair.add_grouped(y, self.down_pair.inner_grouped(a, routes.ends), routes.ends)
        out = combine(stream, y, self.down.bias, routes)
        return out, Saved(routes, h if keep else None, z_up if keep else None)

    def _backward_inside(
        self, gradient: torch.Tensor, x: torch.Tensor | None, h: torch.Tensor, z_up: torch.Tensor | None, routes: Routes
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Gradient of the sorted rows, and <da, a> of each."""
        ends = routes.ends
        rows = gather(gradient, routes)
        da = self.down.product_back(rows, ends)
        pair = self.down_pair
        if pair:
            # The rows' weights belong to the gradient of B and of z; `da` is weighted later, with the activation.
            weighted = rows * routes.row_weight[:, None].to(rows.dtype)
            a = activate(h, self.up.bias, routes.row_expert, self.config)
            pair.collect_grouped(weighted, a, pair.inner_grouped(a, ends), ends)
            pair.add_grouped_back(da, pair.inner_grouped_back(rows, ends), ends)
            del weighted, a
        del rows
        dh, row_gain = activate_backward(h, self.up.bias, routes, da, self.config)
        del h, da
        dx_rows = self.up.product_back(dh, ends)
        pair = self.up_pair
        if pair:
            pair.collect_grouped(dh, gather(x, routes), z_up, ends)
            pair.add_grouped_back(dx_rows, pair.inner_grouped_back(dh, ends), ends)
        del dh
        return dx_rows, row_gain

    def _inside(self, x: torch.Tensor, routes: Routes) -> tuple[torch.Tensor, torch.Tensor | None]:
        if self.fp8:
            return experts8.inside(self.up, x, routes), None
        rows = gather(x, routes)
        h = self.up.product(rows, routes.ends)
        if not self.up_pair:
            return h, None
        z = self.up_pair.inner_grouped(rows, routes.ends)
        return self.up_pair.add_grouped(h, z, routes.ends), z

    def needs_input(self, saved: Saved) -> bool:
        """Whether the backward pass takes x."""
        return saved.h is None or self.up_pair is not None

    def backward(
        self, gradient: torch.Tensor, x: torch.Tensor | None, saved: Saved
    ) -> tuple[torch.Tensor, Routes, torch.Tensor]:
        """Gradient of x in parts: of the sorted rows, and of the router. `saved` is used up."""
        routes = saved.routes
        h, z_up = (saved.h, saved.z_up) if saved.h is not None else self._inside(x, routes)
        saved.h = None
        if self.fp8:
            dx_rows, row_gain = experts8.backward(self.up, self.down, gradient, h, routes, self.config)
        else:
            dx_rows, row_gain = self._backward_inside(gradient, x, h, z_up, routes)
        dlogits = route_backward(routes, row_gain, gradient @ self.down.bias.t(), gradient.dtype)
        return dx_rows, routes, dlogits @ self.router_weight


def gather(x: torch.Tensor, routes: Routes) -> torch.Tensor:
    if x.is_cuda:
        from kernels.experts import gather_rows

        return gather_rows(x, routes.places)
    return x[routes.row_token]


def combine(stream: torch.Tensor, y: torch.Tensor, bias: torch.Tensor, routes: Routes) -> torch.Tensor:
    if y.is_cuda:
        from kernels.experts import combine_rows

        return combine_rows(stream, y, bias, routes)
    values = y[routes.places].float() + bias[routes.experts].float()
    return (stream.float() + (values * routes.weights[..., None]).sum(1)).to(stream.dtype)


def activate(h: torch.Tensor, bias: torch.Tensor, row_expert: torch.Tensor, config: DecoderConfig) -> torch.Tensor:
    if h.is_cuda:
        from kernels.experts import activate_rows

        return activate_rows(h, bias, row_expert, config.limit, config.alpha)
    gate, up = _gate_up(h, bias, row_expert)
    gate, up = gate.clamp(max=config.limit), up.clamp(-config.limit, config.limit)
    return ((up + 1) * gate * torch.sigmoid(config.alpha * gate)).to(h.dtype)


def activate_backward(h: torch.Tensor, bias: torch.Tensor, routes: Routes, da: torch.Tensor, config: DecoderConfig):
    """`da` is the gradient before the rows' weights. Returns the gradient of h (in its place) and <da, a> of each row."""
    if h.is_cuda:
        from kernels.experts import activate_rows_backward

        return activate_rows_backward(h, bias, routes, da, config.limit, config.alpha)
    gate_in, up_in = _gate_up(h, bias, routes.row_expert)
    limit, alpha = config.limit, config.alpha
    gate, up = gate_in.clamp(max=limit), up_in.clamp(-limit, limit)
    s = torch.sigmoid(alpha * gate)
    d = da.float()
    gain = (d * (up + 1) * gate * s).sum(-1)
    d = d * routes.row_weight[:, None]
    d_up = d * gate * s * (up_in.abs() <= limit)
    d_gate = d * (up + 1) * (s + alpha * gate * s * (1 - s)) * (gate_in <= limit)
    h.copy_(torch.stack((d_gate, d_up), -1).flatten(1))
    return h, gain


def _gate_up(h: torch.Tensor, bias: torch.Tensor, row_expert: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    total = h.float() + bias[row_expert].float()
    return total[:, ::2], total[:, 1::2]
