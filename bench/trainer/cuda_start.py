"""
The whole trainer program on a GPU: a model folder of gpt-oss-20b's shape in MXFP4 (random) on disk, rows of 60-400 tokens,
40 of them a step. From start to first step, with compile caches cold and warm, then the speed of the steps; last the
loss curves of bf16 and fp8 on rows of few different tokens.

    python bench/trainer/cuda_start.py [steps]
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from cuda_step import ATTENTION, GPU, OPTIONS, SHAPE, RandomWeights
from safetensors.torch import save_file

from config import parse_config
from weights import shapes

PROGRAM = Path(__file__).resolve().parents[2] / "stages/trainer/cuda/main.py"


def make_model(folder: Path) -> None:
    folder.mkdir()
    raw = {**SHAPE, "architectures": ["GptOssForCausalLM"], "quantization_config": {"quant_method": "mxfp4"}}
    (folder / "config.json").write_text(json.dumps(raw))
    weights = RandomWeights(True)
    parts: dict[str, list[str]] = {}
    every = shapes(parse_config(raw, "bench"), weights)
    for name in every:
        parts.setdefault(name.split(".")[2] if ".layers." in name else "rest", []).append(name)
    index = {}
    for part, names in parts.items():
        tensors = {}
        for name in names:
            tensor = torch.empty(
                every[name], dtype=torch.uint8 if name.endswith(("_blocks", "_scales")) else torch.bfloat16, device=GPU
            )
            weights.into(name, tensor)
            tensors[name] = tensor.cpu()
            index[name] = f"part-{part}.safetensors"
        save_file(tensors, folder / f"part-{part}.safetensors", {"format": "pt"})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))


def make_rows(folder: Path, count: int, vocab=200000):
    folder.mkdir()
    random = np.random.default_rng(3)
    lengths = random.integers(60, 401, count)
    offsets = np.concatenate([[0], lengths.cumsum()]).astype(np.int64)
    ids = random.integers(0, vocab, offsets[-1]).astype(np.int32)
    mask = (random.random(offsets[-1]) < 0.6).astype(np.uint8)
    mask[offsets[1:] - 1] = 1
    tensors = {"offsets": offsets, "input_ids": ids, "loss_mask": mask}
    save_file({k: torch.from_numpy(v) for k, v in tensors.items()}, folder / "tokens-00000.safetensors")
    (folder / "ids.jsonl").write_text("".join(f'"{i}"\n' for i in range(count)))
    return {"shards": [str(folder / "tokens-00000.safetensors")], "ids": str(folder / "ids.jsonl")}


def run(folder: Path, name: str, rows, steps: int, more) -> list[float]:
    output, checkpoint = folder / name / "output", folder / name / "checkpoint"
    output.mkdir(parents=True), checkpoint.mkdir()
    options = {k: v for k, v in vars(OPTIONS).items()} | {"targets": list(ATTENTION), "micro_batch": "auto"} | more
    job = {
        "version": 1, "task": "train", "model": str(folder / "model"), "adapter": None, "threads": 8, "output": str(output),
        "checkpoint": str(checkpoint), "train": rows, "eval": None,
        "steps": [list(range(40 * i, 40 * i + 40)) for i in range(steps)], "options": options,
    }  # fmt: skip
    path = folder / name / "job.json"
    path.write_text(json.dumps(job))
    started = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, str(PROGRAM), str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    times, tokens, losses, last = [], [], [], {}
    for line in child.stdout:
        event = json.loads(line)
        last = event
        if event["type"] == "step":
            times.append(time.perf_counter())
            tokens.append(event["tokens"])
            losses.append(event["loss"])
            memory = event["memory"]
        elif event["type"] in ("error", "log", "warn"):
            print(f"  {event['message']}")
    code = child.wait()
    if code != 0 or not times:
        print(f"{name}: code {code}, {last}\n{child.stderr.read()[-1500:]}", flush=True)
        return []
    half = len(times) // 2
    speed = sum(tokens[half + 1 :]) / (times[-1] - times[half])
    size = (output / "adapter/adapter_model.safetensors").stat().st_size / 1e6
    print(
        f"{name}: first step after {times[0] - started:.1f} s; {speed:.0f} tok/s by its events; peak {memory / 2**30:.1f} GiB; adapter {size:.0f} MB",
        flush=True,
    )
    return losses


def main(steps: int) -> None:
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        started = time.perf_counter()
        make_model(folder / "model")
        rows = make_rows(folder / "rows", 40 * steps)
        print(f"model written in {time.perf_counter() - started:.1f} s", flush=True)
        torch.cuda.empty_cache()
        run(folder, "MXFP4, compile caches cold", rows, 4, {})
        run(folder, "MXFP4, compile caches warm", rows, steps, {})
        run(folder, "MXFP4, deterministic", rows, steps, {"deterministic": True})
        run(folder, "MXFP4, checkpointing full", rows, steps, {"checkpointing": "full"})
        run(folder, "fp8 experts", rows, steps, {"fp8": True})
        same = [
            (folder / name / "output/adapter/adapter_model.safetensors").read_bytes()
            for name in ("MXFP4, compile caches warm", "MXFP4, deterministic")
        ]
        print("deterministic: true changes the adapter:", same[0] != same[1])
        few = make_rows(folder / "few", 40 * 60, 500)
        curves = {
            name: run(folder, f"60 steps, {name}", few, 60, {"lr": 1e-3, "warmup": 5, **more})
            for name, more in (("bf16", {}), ("fp8", {"fp8": True}))
        }
        for name, losses in curves.items():
            print(f"losses {name}: {' '.join(f'{x:.3f}' for x in losses[::6])} {losses[-1]:.4f}")


if __name__ == "__main__":
    main(int((sys.argv[1:] or ["16"])[0]))
