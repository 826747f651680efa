"""A decoder with LoRA: loads the frozen weights, runs forward and backward over a pack, adds to the factors' gradients."""

import torch
import torch.nn.functional as F

from config import DecoderConfig
from dense import Dense
from expert_weights import ExpertWeights
from experts import Experts
from layer import Layer, Norms, Run, Saved
from lora import Factors
from loss import cross_entropy
from norm import norm, norm_backward
from packing import Pack
from projection import ROUND, Part, Projection
from rope import rope_tables
from weights import Weights, packed, tied


class Decoder:
    def __init__(
        self, config: DecoderConfig, weights: Weights, factors: Factors, device: torch.device, dtype: torch.dtype
    ):
        self.config, self.factors, self.device, self.dtype = config, factors, device, dtype
        self.parameters = 0
        self._weights = weights
        self.layers = [self._layer(i) for i in range(config.layers)]
        self.last_norm = self._load("model.norm.weight", [config.hidden])
        # Beside packed experts the input's table is a tenth of all, and a run reads a few rows of it: it stays on the host.
        host = packed(config, weights) and not tied(config, weights)
        self.embedding = self._load(
            "model.embed_tokens.weight", [config.vocab, config.hidden], device="cpu" if host else device
        )
        self.head = (
            self.embedding if tied(config, weights) else self._load("lm_head.weight", [config.vocab, config.hidden])
        )
        self._weights = None
        self._tables: tuple[torch.Tensor, torch.Tensor] | None = None
        self.checkpointing = "none"
        self.bind(0.0)
        factors.check_all_bound()

    def round_experts(self) -> None:
        """Makes the products of experts float8 ones."""
        for layer in self.layers:
            if isinstance(layer.block, Experts):
                layer.block.round()

    def bind(self, dropout: float) -> None:
        for layer in self.layers:
            layer.bind(self.factors, dropout)
        self._lowest = min((i for i, layer in enumerate(self.layers) if layer.trained), default=len(self.layers))

    @torch.no_grad()
    def loss(self, pack: Pack) -> torch.Tensor:
        """Loss of each trained token."""
        run = self._run(pack, None)
        x = self._embed(pack)
        for layer in self.layers:
            x, _ = layer.forward(x, run, False)
        return cross_entropy(norm(x[pack.predictors], self.last_norm, self.config.eps), self.head, pack.labels, False)[
            0
        ]

    @torch.no_grad()
    def step(self, pack: Pack, seed: int) -> torch.Tensor:
        """Adds the gradient of the sum of losses to that of the factors; returns the loss of each trained token."""
        run = self._run(pack, seed)
        x = self._embed(pack)
        saved: list[Saved | torch.Tensor] = []
        for i, layer in enumerate(self.layers):
            if i < self._lowest:
                x, _ = layer.forward(x, run, False)
                continue
            result, kept = layer.forward(x, run, self.checkpointing == "none")
            saved.append(x if self.checkpointing == "full" else kept)
            x = result
            del kept
        rows = x[pack.predictors]
        losses, d_rows = cross_entropy(norm(rows, self.last_norm, self.config.eps), self.head, pack.labels, True)
        d_rows = norm_backward(
            d_rows, rows, self.last_norm, self.config.eps, torch.zeros_like(rows), torch.empty_like(rows)
        )
        gradient = self._room(len(self.layers), pack.tokens).zero_()
        gradient.index_copy_(0, pack.predictors, d_rows)
        del x, result, rows, d_rows
        for i in range(len(self.layers) - 1, self._lowest - 1, -1):
            layer, kept = self.layers[i], saved.pop()
            if self.checkpointing == "full":
                _, kept = layer.forward(kept, run, True)
            out = None if i == self._lowest else self._room(i, pack.tokens)
            gradient = layer.backward(gradient, kept, run, out)
            del kept
        return losses

    def _room(self, above: int, tokens: int) -> torch.Tensor:
        """A gradient for the output of the layer below `above`, roomy where that layer's last product wants it."""
        block = self.layers[above - 1].block
        if isinstance(block, Dense):
            return block.out.room(tokens)
        return torch.empty(tokens, self.config.hidden, dtype=self.dtype, device=self.device)

    def _run(self, pack: Pack, seed: int | None) -> Run:
        longest = max(pack.lengths)
        if self._tables is None or self._tables[0].shape[0] < longest:
            self._tables = rope_tables(self.config, max(longest, 2048), self.device)
        return Run(pack, *self._tables, seed)

    def _embed(self, pack: Pack) -> torch.Tensor:
        if self.embedding.device.type == self.device.type:
            return F.embedding(pack.ids, self.embedding)
        rows = torch.empty(pack.tokens, self.config.hidden, dtype=self.dtype, pin_memory=self.device.type == "cuda")
        torch.index_select(self.embedding, 0, pack.host_ids, out=rows)
        return rows.to(self.device, non_blocking=True)

    # Loading: matrices that share an input go into one tensor, with room for LoRA's factors below.

    def _load(self, name: str, shape: list[int], dtype: torch.dtype | None = None, device=None) -> torch.Tensor:
        out = torch.empty(shape, dtype=dtype or self.dtype, device=device or self.device)
        self._weights.into(name, out)
        self.parameters += out.numel()
        return out

    def _projection(self, at: str, names: dict[str, int], inputs: int, bias: bool) -> Projection:
        targets = sum(name in self.factors.shape.targets for name in names)
        border = -(-targets * self.factors.shape.r // ROUND) * ROUND
        outputs = sum(names.values())
        bordered = torch.empty(outputs + border, inputs + border, dtype=self.dtype, device=self.device)
        biases = torch.empty(outputs, dtype=self.dtype, device=self.device) if bias else None
        parts, start = [], 0
        for name, rows in names.items():
            self._weights.into(f"{at}.{name}.weight", bordered[start : start + rows, :inputs])
            if bias:
                self._weights.into(f"{at}.{name}.bias", biases[start : start + rows])
            parts.append(Part(name, start, rows))
            start += rows
        self.parameters += outputs * (inputs + bias)
        return Projection(bordered, biases, parts, border)

    def _experts(self, at: str) -> Experts:
        c = self.config
        router = (
            self._load(f"{at}.router.weight", [c.experts, c.hidden]),
            self._load(f"{at}.router.bias", [c.experts]),
        )

        def matrices(name: str, inputs: int, outputs: int) -> ExpertWeights:
            bias = self._load(f"{at}.experts.{name}_bias", [c.experts, outputs])
            if not packed(c, self._weights):
                return ExpertWeights(bias, dense=self._load(f"{at}.experts.{name}", [c.experts, inputs, outputs]))
            blocks = self._load(f"{at}.experts.{name}_blocks", [c.experts, outputs, inputs // 32, 16], torch.uint8)
            scales = self._load(f"{at}.experts.{name}_scales", [c.experts, outputs, inputs // 32], torch.uint8)
            # Two numbers lie in a byte; scales are none.
            self.parameters += blocks.numel() - scales.numel()
            return ExpertWeights(bias, packed=(blocks, scales))

        up, down = matrices("gate_up_proj", c.hidden, 2 * c.inner), matrices("down_proj", c.inner, c.hidden)
        return Experts(c, router, up, down)

    def _layer(self, index: int) -> Layer:
        c, at = self.config, f"model.layers.{index}"
        queries, keys = c.heads * c.head_dim, c.kv_heads * c.head_dim
        qkv = self._projection(
            f"{at}.self_attn", {"q_proj": queries, "k_proj": keys, "v_proj": keys}, c.hidden, c.qkv_bias
        )
        out = self._projection(f"{at}.self_attn", {"o_proj": c.hidden}, queries, c.out_bias)
        if c.experts:
            block = self._experts(f"{at}.mlp")
        else:
            into = self._projection(f"{at}.mlp", {"gate_proj": c.inner, "up_proj": c.inner}, c.hidden, c.mlp_bias)
            block = Dense(into, self._projection(f"{at}.mlp", {"down_proj": c.hidden}, c.inner, c.mlp_bias))
        norms = Norms(
            self._load(f"{at}.input_layernorm.weight", [c.hidden]),
            self._load(f"{at}.post_attention_layernorm.weight", [c.hidden]),
            self._load(f"{at}.self_attn.q_norm.weight", [c.head_dim]) if c.qk_norm else None,
            self._load(f"{at}.self_attn.k_norm.weight", [c.head_dim]) if c.qk_norm else None,
        )
        sinks = self._load(f"{at}.self_attn.sinks", [c.heads]) if c.sinks else None
        return Layer(c, index, norms, qkv, out, sinks, block)
