"""Small random models, rows and adapters for the tests of the CUDA trainer; transformers and PEFT as the reference."""

import sys
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[4]
PROGRAM = ROOT / "stages/trainer/cuda"
sys.path.insert(0, str(PROGRAM))
torch.set_num_threads(1)

import numpy as np  # noqa: E402

from config import read_config  # noqa: E402
from decoder import Decoder  # noqa: E402
from lora import Factors, LoraShape  # noqa: E402
from tokens import Document  # noqa: E402
from weights import Weights  # noqa: E402

VOCAB = 160
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
DENSE = (*ATTENTION, "gate_proj", "up_proj", "down_proj")
CPU = torch.device("cpu")

_BASE = dict(
    hidden_size=64, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
    vocab_size=VOCAB, max_position_embeddings=512,
)  # fmt: skip
_LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 128,
}  # fmt: skip


def configs():
    import transformers as t

    return {
        "llama": t.LlamaConfig(**_BASE, head_dim=16, rope_parameters=_LLAMA3, attention_bias=True, mlp_bias=True),
        "mistral": t.MistralConfig(**_BASE, head_dim=16, sliding_window=24),
        "qwen2": t.Qwen2Config(**_BASE),
        "qwen3": t.Qwen3Config(**_BASE, head_dim=32, tie_word_embeddings=True),
        "gpt_oss": t.GptOssConfig(**_BASE, head_dim=16, num_local_experts=8, sliding_window=20, initializer_range=0.1),
    }


def make_model(folder: Path, family: str, seed: int = 1):
    """A random model whose norms, biases and sinks are not one and zero, so that a mistake in them shows."""
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(configs()[family], attn_implementation="eager", dtype=torch.float32)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name:
                parameter.copy_(1 + 0.1 * torch.randn_like(parameter))
            elif "sinks" in name:
                parameter.copy_(torch.randn_like(parameter))
            elif "experts" in name or "router" in name:
                # Wide enough for the clamps to bite.
                parameter.copy_(0.4 * torch.randn_like(parameter))
            else:
                parameter.copy_(0.08 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    return model


def documents(lengths, seed=2, share=0.6):
    random = np.random.default_rng(seed)
    out = []
    for row, length in enumerate(lengths):
        mask = (random.random(length) < share).astype(np.uint8)
        mask[-1] = 1
        out.append(Document(row, random.integers(0, VOCAB, length).astype(np.int32), mask))
    return out


def make_decoder(
    folder: Path, targets, r=4, alpha=8.0, rslora=False, seed=5, device=CPU, dtype=torch.float32
) -> Decoder:
    """Ours, with factors that are all random: at B = 0 no gradient reaches A."""
    config = read_config(folder)
    weights = Weights(folder)
    weights.check(config)
    factors = Factors(config, LoraShape(r, alpha, rslora, tuple(targets)), device, dtype)
    decoder = Decoder(config, weights, factors, device, dtype)
    torch.manual_seed(seed)
    factors.weights.copy_(0.1 * torch.randn(factors.weights.shape))
    factors.refresh()
    return decoder


def reference(model, adapter: Path):
    """transformers and PEFT with the adapter that we wrote, its factors trainable."""
    from peft import PeftModel

    return PeftModel.from_pretrained(model, adapter, is_trainable=True).eval()


def reference_loss(net, batch):
    """Row by row: no padding, no packing. The sum of losses over trained tokens, and each row's."""
    sums = []
    for document in batch:
        ids = torch.from_numpy(document.ids.astype(np.int64))
        logits = net(input_ids=ids[None]).logits[0, :-1].float()
        losses = torch.nn.functional.cross_entropy(logits, ids[1:], reduction="none")
        sums.append(losses[torch.from_numpy(document.mask[1:] == 1)].sum())
    return torch.stack(sums)


def relative(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return ((ours - theirs).norm() / theirs.norm().clamp(min=1e-12)).item()
