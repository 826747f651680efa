"""Finds a model's tensors in its safetensors files, and checks names and shapes before anything is loaded."""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from config import DecoderConfig
from failure import Failure


class Weights:
    def __init__(self, folder: Path):
        self.folder = folder
        self._files: dict[str, object] = {}
        self._shapes: dict[str, list[int]] = {}
        for path in _paths(folder):
            try:
                file = safe_open(path, framework="pt")
                for name in file.keys():
                    self._files[name] = file
                    self._shapes[name] = file.get_slice(name).get_shape()
            except (SafetensorError, OSError) as error:
                raise Failure("bad-model", f"{path}: is not a safetensors file ({error})") from error

    def has(self, name: str) -> bool:
        return name in self._files

    def shape(self, name: str) -> list[int]:
        return self._shapes[name]

    def into(self, name: str, target: torch.Tensor) -> None:
        target.copy_(self._files[name].get_tensor(name))

    def check(self, config: DecoderConfig) -> None:
        """Errors: `bad-model` lists what is missing, of another shape, or no part of the model."""
        expected = shapes(config, self)
        problems = []
        for name, shape in expected.items():
            if name not in self._files:
                problems.append(f"{name} {shape} is missing")
            elif self._shapes[name] != shape:
                problems.append(f"{name} is {self._shapes[name]}, config.json asks for {shape}")
        for name in self._files:
            # Older exports keep the rotary table and a copy of a tied head: neither is read.
            if name not in expected and name != "lm_head.weight" and not name.endswith("rotary_emb.inv_freq"):
                problems.append(f"{name} is not a part of {config.family} with this config.json")
        if problems:
            rest = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
            what = f"{self.folder}: weights do not fit config.json: {'; '.join(problems[:5])}{rest}"
            raise Failure("bad-model", what, "Take config.json and the .safetensors files from the same model.")


def _paths(folder: Path) -> list[Path]:
    single, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if single.exists():
        return [single]
    if not index.exists():
        what = f"{folder}: has neither model.safetensors nor model.safetensors.index.json"
        raise Failure("bad-model", what, "Weights must be in safetensors format.")
    try:
        names = sorted(set(json.loads(index.read_text())["weight_map"].values()))
    except (ValueError, KeyError, AttributeError) as error:
        raise Failure("bad-model", f"{index}: is not a JSON map with a weight_map") from error
    for name in names:
        if Path(name).name != name or not (folder / name).exists():
            raise Failure("bad-model", f"{index}: names {name}, which is not in the folder")
    return [folder / name for name in names]


def tied(config: DecoderConfig, weights: Weights) -> bool:
    """One matrix for input and output."""
    return config.tied if config.tied is not None else not weights.has("lm_head.weight")


def packed(config: DecoderConfig, weights: Weights) -> bool:
    """Experts in MXFP4."""
    return config.experts > 0 and weights.has("model.layers.0.mlp.experts.gate_up_proj_blocks")


def shapes(config: DecoderConfig, weights: Weights) -> dict[str, list[int]]:
    """Name and shape of each weight that this config calls for. Matrices are [out, in], experts [experts, in, out]."""
    c = config
    out: dict[str, list[int]] = {"model.embed_tokens.weight": [c.vocab, c.hidden]}

    def linear(name: str, rows: int, columns: int, bias: bool) -> None:
        out[f"{name}.weight"] = [rows, columns]
        if bias:
            out[f"{name}.bias"] = [rows]

    def experts(name: str, inputs: int, outputs: int) -> None:
        if packed(c, weights):
            out[f"{name}_blocks"] = [c.experts, outputs, inputs // 32, 16]
            out[f"{name}_scales"] = [c.experts, outputs, inputs // 32]
        else:
            out[name] = [c.experts, inputs, outputs]
        out[f"{name}_bias"] = [c.experts, outputs]

    for i in range(c.layers):
        at = f"model.layers.{i}"
        linear(f"{at}.self_attn.q_proj", c.heads * c.head_dim, c.hidden, c.qkv_bias)
        linear(f"{at}.self_attn.k_proj", c.kv_heads * c.head_dim, c.hidden, c.qkv_bias)
        linear(f"{at}.self_attn.v_proj", c.kv_heads * c.head_dim, c.hidden, c.qkv_bias)
        linear(f"{at}.self_attn.o_proj", c.hidden, c.heads * c.head_dim, c.out_bias)
        if c.qk_norm:
            out |= {f"{at}.self_attn.{n}.weight": [c.head_dim] for n in ("q_norm", "k_norm")}
        if c.sinks:
            out[f"{at}.self_attn.sinks"] = [c.heads]
        if c.experts:
            linear(f"{at}.mlp.router", c.experts, c.hidden, True)
            experts(f"{at}.mlp.experts.gate_up_proj", c.hidden, 2 * c.inner)
            experts(f"{at}.mlp.experts.down_proj", c.inner, c.hidden)
        else:
            linear(f"{at}.mlp.gate_proj", c.inner, c.hidden, c.mlp_bias)
            linear(f"{at}.mlp.up_proj", c.inner, c.hidden, c.mlp_bias)
            linear(f"{at}.mlp.down_proj", c.hidden, c.inner, c.mlp_bias)
        out[f"{at}.input_layernorm.weight"] = [c.hidden]
        out[f"{at}.post_attention_layernorm.weight"] = [c.hidden]
    out["model.norm.weight"] = [c.hidden]
    if not tied(c, weights):
        out["lm_head.weight"] = [c.vocab, c.hidden]
    return out
