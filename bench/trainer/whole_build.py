"""
The whole way on a GPU, as a user has it: `finetune build` from this project's guide to an adapter with `backend: cuda`, on a
model folder of gpt-oss-20b's shape in MXFP4 (random weights, the tiny model's tokenizer). Then the same again, with nothing
to do; one page edited and ten more steps; and a training that is killed and continued.

    python bench/trainer/whole_build.py [node] [steps]
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cuda_start import make_model

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "pipelines/models/tiny-chat"

RECIPE = """version: 1
sources:
  docs:   { uses: files, with: { paths: "docs/**/*.md", by: section } }
  base:   { uses: model, with: { path: model } }
transforms:
  text:   { uses: plain-text, from: docs }
  lines:  { uses: sentences, from: text }
  good:   { uses: filter, from: lines, with: { min: 30 } }
  pairs:  { uses: sentence-pairs, from: good, with: { instruction: { max: 200 }, response: { min: 30, max: 300 } } }
  unique: { uses: dedup, from: pairs, with: { by: instruction } }
  split:  { uses: split, from: unique, with: { train: 0.9, eval: 0.1, seed: 7 } }
templates:
  chat:   { uses: chat, from: { rows: split.train, model: base }, with: { format: harmony, max_tokens: 512 } }
  held:   { uses: chat, from: { rows: split.eval, model: base }, with: { format: harmony, max_tokens: 512 } }
trainer:
  adapter:
    uses: lora
    from: { model: base, train: chat, eval: held }
    with: { backend: cuda, r: 8, alpha: 16, targets: [q_proj, k_proj, v_proj, o_proj], steps: STEPS, batch: 32, lr: 2e-4, deterministic: true, save_steps: 5, seed: 7 }
"""


class Build:
    """One `finetune build --json`, its events as they come."""

    def __init__(self, node: str, folder: Path):
        self.started = time.perf_counter()
        self.child = subprocess.Popen(
            [node, str(ROOT / "bin/finetune.js"), "build", "--json", "--yes"], cwd=folder, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "FINETUNE_PYTHON": sys.executable}, start_new_session=True,
        )  # fmt: skip
        self.events: list[dict] = []

    def run(self, kill_after: int | None = None) -> "Build":
        for line in self.child.stdout:
            event = json.loads(line)
            event["at"] = time.perf_counter() - self.started
            self.events.append(event)
            if kill_after and event["type"] == "measure" and event["values"].get("step") == kill_after:
                os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()
        return self

    def tell(self, what: str) -> None:
        steps = [e for e in self.events if e["type"] == "measure" and "loss" in e["values"]]
        summary = self.events[-1] if self.events[-1]["type"] == "summary" else None
        nodes = ", ".join(f"{n['name']} {n['state']} {n['seconds']} s" for n in (summary or {}).get("nodes", []))
        print(f"{what}: code {self.child.returncode}, {time.perf_counter() - self.started:.1f} s; {nodes}")
        if steps:
            first, last = steps[0], steps[-1]
            tokens = sum(e["values"].get("tokens", 0) for e in steps[1:])
            speed = tokens / max(1e-9, last["at"] - first["at"])
            memory = max(e["values"].get("memory", 0) for e in steps) / 2**30
            print(
                f"  {len(steps)} steps, the first {first['at']:.1f} s after the start; loss {first['values']['loss']:.4f} -> "
                f"{last['values']['loss']:.4f}; {speed:.0f} tok/s, peak {memory:.1f} GiB"
            )
        for e in self.events:
            if e["type"] in ("failed", "warn"):
                print("  ", json.dumps(e)[:600])
        sys.stdout.flush()


def main(node: str, steps: int) -> None:
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        started = time.perf_counter()
        make_model(folder / "model")
        for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
            shutil.copy(TINY / name, folder / "model" / name)
        shutil.copytree(ROOT / "docs", folder / "docs")
        (folder / ".finetune").mkdir()
        recipe = folder / "finetune.yaml"
        recipe.write_text(RECIPE.replace("STEPS", str(steps)))
        print(f"model written in {time.perf_counter() - started:.1f} s", flush=True)

        adapter = folder / "out/adapter/adapter_model.safetensors"
        Build(node, folder).run().tell("from documents to adapter")
        whole = adapter.read_bytes()
        Build(node, folder).run().tell("nothing to do")
        page = folder / "docs/training.md"
        page.write_text(page.read_text() + "\n\nOne more sentence stands at the end of this page. And another one follows it here.\n")
        Build(node, folder).run().tell("one page edited")
        page.write_text((ROOT / "docs/training.md").read_text())
        shutil.rmtree(folder / ".finetune")
        (folder / "finetune.lock").unlink()
        (folder / ".finetune").mkdir()
        shutil.rmtree(folder / "out")
        Build(node, folder).run(kill_after=steps * 2 // 3).tell(f"killed after step {steps * 2 // 3}")
        Build(node, folder).run().tell("continued")
        print("the continued adapter", "equals" if adapter.read_bytes() == whole else "DIFFERS FROM", "the unbroken one")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "node", int(sys.argv[2]) if len(sys.argv) > 2 else 30)
