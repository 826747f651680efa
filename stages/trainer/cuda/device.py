"""The device and precision of a run: a GPU in bfloat16 where there is one, else the CPU in float32."""

import os

import torch

from failure import Failure

PRECISIONS = {"bf16": torch.bfloat16, "float32": torch.float32}


def choose(threads: int, precision: str = "auto", deterministic: bool = False) -> tuple[torch.device, torch.dtype]:
    torch.set_num_threads(threads)
    if deterministic:
        # Read when cuBLAS starts: without it the products of two streams may share a workspace.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
        # All memory that is taken is also written, so filling it first would only cost a tenth of the speed.
        torch.utils.deterministic.fill_uninitialized_memory = False
    if not torch.cuda.is_available():
        if precision == "bf16":
            raise Failure(
                "no-gpu",
                "precision bf16 needs a GPU, and torch sees none",
                "Leave precision out to train in float32 on the CPU.",
            )
        return torch.device("cpu"), torch.float32
    device = torch.device("cuda", 0)
    torch.cuda.set_device(device)
    if precision == "float32":
        return device, torch.float32
    if torch.cuda.get_device_capability(device) < (8, 0):
        name = torch.cuda.get_device_name(device)
        raise Failure(
            "unsupported-gpu", f"{name} has no bfloat16", "Choose precision: float32, or a GPU of 2020 or newer."
        )
    return device, torch.bfloat16
