"""Reads a Hugging Face `config.json` into the few numbers that a decoder is made of; refuses what it is not."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from failure import Failure

FAMILIES = {
    "llama": "LlamaForCausalLM",
    "mistral": "MistralForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
    "gpt_oss": "GptOssForCausalLM",
}


@dataclass(frozen=True)
class DecoderConfig:
    family: str
    layers: int
    hidden: int
    # Inner width of the gated block, of one expert where there are experts.
    inner: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    eps: float
    max_positions: int
    # `rope_type`, `rope_theta` and what the type needs.
    rope: dict
    # None where the file leaves it open: then the presence of `lm_head.weight` decides.
    tied: bool | None
    qkv_bias: bool
    out_bias: bool
    mlp_bias: bool
    # RMSNorm on each head's query and key (Qwen3).
    qk_norm: bool
    # Of each layer: how many tokens are seen, itself counted; 0: all.
    windows: tuple[int, ...]
    # A learned logit for each head that takes part in the softmax and nothing else.
    sinks: bool
    # 0: one dense block.
    experts: int
    experts_per_token: int
    # Clamp of the experts' gate and up.
    limit: float
    alpha: float
    # Name of the model on a hub, where the file says one; never a path.
    name: str | None


def read_config(folder: Path) -> DecoderConfig:
    path = folder / "config.json"
    try:
        raw = json.loads(path.read_text())
    except FileNotFoundError as error:
        advice = "A model folder holds config.json, one or more .safetensors files and tokenizer.json."
        raise Failure("bad-model", f"{path}: is missing", advice) from error
    except ValueError as error:
        raise Failure("bad-model", f"{path}: is not JSON") from error
    return parse_config(raw, str(path))


def parse_config(raw: dict, path: str) -> DecoderConfig:
    def refuse(what: str) -> Failure:
        advice = "The cuda backend trains Llama, Mistral, Qwen2, Qwen3 and gpt-oss."
        return Failure("unsupported-model", f"{path}: {what}", advice)

    def count(key: str, default: int | None = None) -> int:
        value = raw.get(key)
        value = default if value is None else value
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise Failure("bad-model", f"{path}: {key} should be a positive whole number, it is {json.dumps(value)}")
        return value

    family = raw.get("model_type")
    architecture = (raw.get("architectures") or [FAMILIES.get(family)])[0]
    if family not in FAMILIES or FAMILIES[family] != architecture:
        raise refuse(f"model_type {family} ({architecture}) is not supported")
    quantisation = raw.get("quantization_config")
    if quantisation and (family != "gpt_oss" or quantisation.get("quant_method") != "mxfp4"):
        raise refuse(f"weights quantised by {quantisation.get('quant_method')} are not supported")
    if raw.get("hidden_act", "silu") != "silu":
        raise refuse(f"hidden_act {raw['hidden_act']} is not supported (only silu)")
    if raw.get("pretraining_tp") not in (None, 1):
        raise refuse("pretraining_tp other than 1 is not supported")

    gpt_oss = family == "gpt_oss"
    layers, hidden, heads = count("num_hidden_layers"), count("hidden_size"), count("num_attention_heads")
    kv_heads = count("num_key_value_heads", heads)
    if heads % kv_heads:
        raise Failure("bad-model", f"{path}: {heads} heads cannot share {kv_heads} key/value heads")
    head_dim = count("head_dim", {"qwen3": 128, "gpt_oss": 64}.get(family, hidden // heads))
    if head_dim % 2:
        raise refuse(f"head_dim {head_dim} is odd: rotary embedding needs pairs")
    # transformers 5 keeps both in `rope_parameters`; before, they stood apart.
    rope = {**(raw.get("rope_scaling") or {}), **(raw.get("rope_parameters") or {})}
    if rope.get("partial_rotary_factor", raw.get("partial_rotary_factor", 1)) != 1:
        raise refuse("partial rotary embedding is not supported")
    rope["rope_type"] = rope.get("rope_type") or rope.get("type") or "default"
    rope["rope_theta"] = rope.get("rope_theta") or raw.get("rope_theta") or (150000.0 if gpt_oss else 10000.0)
    if rope["rope_type"] not in ("default", "linear", "llama3", "yarn"):
        raise refuse(f"rope type {rope['rope_type']} is not supported (only default, linear, llama3, yarn)")
    bias = raw.get("attention_bias", gpt_oss) is True
    name = raw.get("_name_or_path")
    return DecoderConfig(
        family=family,
        layers=layers,
        hidden=hidden,
        inner=count("intermediate_size"),
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        vocab=count("vocab_size"),
        eps=float(raw.get("rms_norm_eps", 1e-5 if gpt_oss else 1e-6)),
        max_positions=count("max_position_embeddings", 2048),
        rope=rope,
        tied=raw.get("tie_word_embeddings") if isinstance(raw.get("tie_word_embeddings"), bool) else None,
        qkv_bias=family == "qwen2" or bias,
        out_bias=family != "qwen2" and bias,
        mlp_bias=family == "llama" and raw.get("mlp_bias") is True,
        qk_norm=family == "qwen3",
        windows=_windows(raw, family, layers),
        sinks=gpt_oss,
        experts=count("num_local_experts") if gpt_oss else 0,
        experts_per_token=count("num_experts_per_tok", 4) if gpt_oss else 0,
        limit=float(raw.get("swiglu_limit", 7.0)),
        alpha=float(raw.get("swiglu_alpha", 1.702)),
        name=name if isinstance(name, str) and re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", name) else None,
    )


def _windows(raw: dict, family: str, layers: int) -> tuple[int, ...]:
    window = raw.get("sliding_window") or 0
    if family == "llama" or (family in ("qwen2", "qwen3") and raw.get("use_sliding_window") is not True):
        return (0,) * layers
    types = raw.get("layer_types")
    if types:
        return tuple(window if kind == "sliding_attention" else 0 for kind in types)
    if family == "gpt_oss":
        return tuple(window if i % 2 == 0 else 0 for i in range(layers))
    if family == "mistral":
        return (window,) * layers
    return tuple(window if i >= raw.get("max_window_layers", layers) else 0 for i in range(layers))
