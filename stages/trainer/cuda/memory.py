"""How many tokens fit in one run of the model: what is kept for each token, against what is free."""

import torch

from config import DecoderConfig
from loss import CHUNK

# Of what is free, the share that runs may plan with: the rest is for rounding up and fragments.
SHARE = 0.92
# Tokens in one run on the CPU: enough for its products, small enough for its caches.
CPU_TOKENS = 4096


def bytes_per_token(config: DecoderConfig, checkpointing: str, ranks: int, size: int) -> tuple[int, int]:
    """What a token leaves behind from forward to backward, and what passing it through one layer takes at most besides."""
    c = config
    heads = (c.heads + 2 * c.kv_heads) * c.head_dim + ranks
    wide = c.heads * c.head_dim
    choices = max(1, c.experts_per_token)
    inside = 2 * c.inner * choices
    attention = 2 * c.hidden + heads + wide + ranks
    layer = {"none": attention + inside, "selective": attention, "full": c.hidden}[checkpointing]
    # Backward through the experts: gathered rows, two gradients inside, one outside; dense: the same without the gather.
    passing = 5 * c.hidden + 2 * heads + choices * (2 * c.hidden + 4 * c.inner)
    if checkpointing == "full":
        passing += attention + inside
    elif checkpointing == "selective":
        passing += inside
    return size * (c.layers * layer + 3 * c.hidden), size * passing


def most_tokens(config: DecoderConfig, checkpointing: str, ranks: int, dtype: torch.dtype, device: torch.device) -> int:
    if device.type != "cuda":
        return CPU_TOKENS
    kept, passing = bytes_per_token(config, checkpointing, ranks, dtype.itemsize)
    free = torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    logits = CHUNK * config.vocab * dtype.itemsize
    return max(1, int((SHARE * free - logits) / (kept + passing)))
