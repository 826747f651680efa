"""Reads and writes LoRA adapters in PEFT's format: `adapter_config.json` and `adapter_model.safetensors`."""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from config import DecoderConfig
from failure import Failure
from lora import EXPERT_TARGETS, TARGETS, Factors, LoraShape

PARAMETERS = {"gate_up_proj": "mlp.experts.gate_up_proj", "down_proj": "mlp.experts.down_proj"}


def tensor_name(name: str, targets: tuple[str, ...]) -> str:
    """PEFT wraps the experts once for each of their targets: the first lies inside the second."""
    at, factor = name.rsplit(".", 1)
    if ".experts." in at:
        at, target = at.rsplit(".", 1)
        if target == "gate_up_proj" and "down_proj" in targets:
            at += ".base_layer"
    return f"base_model.model.{at}.{factor}.weight"


def write_adapter(folder: Path, config: DecoderConfig, factors: Factors, dropout: float) -> None:
    """The base model's name is that on a hub, or null: a path of this machine has no place in an adapter."""
    folder.mkdir(parents=True, exist_ok=True)
    shape = factors.shape
    tensors = {tensor_name(n, shape.targets): t.cpu().clone() for n, t in factors.named(factors.weights)}
    # `format` is what transformers and PEFT look for in the metadata.
    save_file(tensors, folder / "adapter_model.safetensors", {"format": "pt"})
    modules = [t for t in TARGETS if t in shape.targets and not (config.experts and t in PARAMETERS)]
    parameters = [PARAMETERS[t] for t in PARAMETERS if config.experts and t in shape.targets]
    peft = {
        "base_model_name_or_path": config.name,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "init_lora_weights": True,
        "lora_alpha": shape.alpha,
        "lora_dropout": dropout,
        "modules_to_save": None,
        "peft_type": "LORA",
        "r": shape.r,
        "target_modules": modules,
        **({"target_parameters": parameters} if parameters else {}),
        "task_type": "CAUSAL_LM",
        "use_dora": False,
        "use_rslora": shape.rslora,
    }
    (folder / "adapter_config.json").write_text(f"{json.dumps(peft, indent=2)}\n")


def read_shape(folder: Path, config: DecoderConfig) -> LoraShape:
    """What an adapter is, apart from its numbers. Error: `bad-adapter`."""
    path = folder / "adapter_config.json"

    def bad(what: str, advice: str | None = None) -> Failure:
        return Failure("bad-adapter", f"{path}: {what}", advice)

    try:
        raw = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise bad("is missing", "An adapter folder holds adapter_config.json and adapter_model.safetensors.") from error
    except ValueError as error:
        raise bad("is not JSON") from error
    for key in ("use_dora", "modules_to_save", "rank_pattern", "alpha_pattern", "layers_to_transform"):
        if raw.get(key):
            raise bad(f"{key} is not supported", "Only plain LoRA with one r and one lora_alpha can be read.")
    if raw.get("peft_type") != "LORA":
        raise bad(f"peft_type is {json.dumps(raw.get('peft_type'))}, expected LORA")
    if raw.get("bias", "none") != "none":
        raise bad("trained biases are not supported")
    known = EXPERT_TARGETS if config.experts else TARGETS
    names = {v: k for k, v in PARAMETERS.items()}
    modules, parameters = raw.get("target_modules") or [], raw.get("target_parameters") or []
    targets = [*modules, *(names.get(p, p) for p in parameters)] if isinstance(modules, list) else []
    if not targets or not set(targets) <= set(known):
        raise bad(f"target_modules should be a list of {', '.join(known)}")
    r, alpha = raw.get("r"), raw.get("lora_alpha")
    if not isinstance(r, int) or r < 1 or not isinstance(alpha, int | float):
        raise bad("r and lora_alpha should be positive numbers")
    return LoraShape(r, alpha, raw.get("use_rslora") is True, tuple(t for t in known if t in targets))


def read_weights(folder: Path, factors: Factors) -> torch.Tensor:
    """All factors, flat, in the order of `factors`. Error: `bad-adapter`."""
    path = folder / "adapter_model.safetensors"
    out = torch.empty(factors.weights.shape, dtype=torch.float32)
    try:
        file = safe_open(path, framework="pt")
        left = set(file.keys())
        for name, target in factors.named(out):
            stored = tensor_name(name, factors.shape.targets)
            if stored not in left:
                raise Failure("bad-adapter", f"{path}: lacks {stored}")
            left.discard(stored)
            tensor = file.get_tensor(stored)
            if tensor.shape != target.shape:
                what = f"{path}: {stored} is {list(tensor.shape)}, the model asks for {list(target.shape)}"
                raise Failure("bad-adapter", what)
            target.copy_(tensor)
    except (SafetensorError, OSError) as error:
        raise Failure("bad-adapter", f"{path}: is not a safetensors file ({error})") from error
    if left:
        raise Failure("bad-adapter", f"{path}: holds {min(left)}, which is no LoRA factor of this model")
    return out
