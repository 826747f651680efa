"""Rotary position embedding (Su et al. 2021): tables of cosines and sines as transformers computes them, and the turn."""

import math

import torch

from config import DecoderConfig


def rope_tables(config: DecoderConfig, positions: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """`cos` and `sin`, float32 [positions, head_dim / 2]."""
    frequencies, scale = _frequencies(config)
    angles = torch.arange(positions, dtype=torch.float32)[:, None] * frequencies[None]
    return (angles.cos() * scale).to(device), (angles.sin() * scale).to(device)


def _frequencies(config: DecoderConfig) -> tuple[torch.Tensor, float]:
    rope, dim = config.rope, config.head_dim
    places = torch.arange(0, dim, 2, dtype=torch.float32) / dim
    plain = 1.0 / (rope["rope_theta"] ** places)
    if rope["rope_type"] == "linear":
        return plain / rope["factor"], 1.0
    if rope["rope_type"] == "llama3":
        return _llama3(plain, rope), 1.0
    if rope["rope_type"] == "yarn":
        return _yarn(plain, rope, dim)
    return plain, 1.0


def _llama3(plain: torch.Tensor, rope: dict) -> torch.Tensor:
    """Long waves are stretched by `factor`, short ones kept, those between blended (Llama 3.1's rule)."""
    low, high, original = rope["low_freq_factor"], rope["high_freq_factor"], rope["original_max_position_embeddings"]
    waves = 2 * math.pi / plain
    smooth = ((original / waves - low) / (high - low)).clamp(0, 1)
    return (1 - smooth) * plain / rope["factor"] + smooth * plain


def _yarn(plain: torch.Tensor, rope: dict, dim: int) -> tuple[torch.Tensor, float]:
    """YaRN (Peng et al. 2023)."""
    theta, factor, original = rope["rope_theta"], rope["factor"], rope["original_max_position_embeddings"]

    def place(turns: float) -> float:
        return dim * math.log(original / (turns * 2 * math.pi)) / (2 * math.log(theta))

    low, high = place(rope.get("beta_fast") or 32), place(rope.get("beta_slow") or 1)
    if rope.get("truncate", True):
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, dim - 1)
    ramp = ((torch.arange(dim // 2, dtype=torch.float32) - low) / max(high - low, 0.001)).clamp(0, 1)
    frequencies = plain / factor * ramp + plain * (1 - ramp)

    def mscale(by: float) -> float:
        return 0.1 * by * math.log(factor) + 1 if factor > 1 else 1.0

    scale = rope.get("attention_factor")
    if scale is None:
        both = rope.get("mscale") and rope.get("mscale_all_dim")
        scale = mscale(rope["mscale"]) / mscale(rope["mscale_all_dim"]) if both else mscale(1)
    return frequencies, float(scale)


def turn(
    heads: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, positions: torch.Tensor, back: bool = False
) -> None:
    """Turns [tokens, heads, head_dim] in place; `back` is the transpose, which the gradient takes."""
    if heads.is_cuda:
        from kernels.rope import turn_heads

        turn_heads(heads, cos, sin, positions, back)
        return
    c, s = cos[positions.long()][:, None], sin[positions.long()][:, None]
    s = -s if back else s
    a, b = heads.float().chunk(2, -1)
    heads.copy_(torch.cat((a * c - b * s, b * c + a * s), -1))
