"""The program under its contract: results, stops, kills, continued runs, bad input."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from rig import ATTENTION, PROGRAM, VOCAB, documents, make_model, reference, reference_loss
from safetensors.numpy import load_file, save_file
from safetensors.torch import load_file as load_tensors

OPTIONS = dict(
    r=4, alpha=8, rslora=False, targets=list(ATTENTION), micro_batch="auto", lr=0.01, scheduler="linear", warmup=2,
    weight_decay=0.01, max_grad_norm=1.0, beta1=0.9, beta2=0.999, eps=1e-8, seed=3407, save_steps=3, eval_steps=4, log_steps=1,
)  # fmt: skip
# On a GPU the facts about bits are of interest; numbers are compared in float32, on the CPU.
GPU = os.environ.get("FINETUNE_TEST_GPU") == "1"
LENGTHS = [20, 33, 7, 45, 12, 28, 3, 40]


def write_rows(folder: Path, batch):
    folder.mkdir(parents=True, exist_ok=True)
    shards = []
    for number, part in enumerate((batch[:5], batch[5:])):
        path = folder / f"tokens-{number:05}.safetensors"
        offsets = np.concatenate([[0], np.cumsum([len(d.ids) for d in part])]).astype(np.int64)
        save_file(
            {
                "offsets": offsets,
                "input_ids": np.concatenate([d.ids for d in part]),
                "loss_mask": np.concatenate([d.mask for d in part]),
            },
            path,
        )
        shards.append(str(path))
    ids = folder / "ids.jsonl"
    ids.write_text("".join(f'"doc-{i}"\n' for i in range(len(batch))))
    return {"shards": shards, "ids": str(ids)}


@contextmanager
def project(family="llama", steps=9, **options):
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        make_model(folder / "model", family)
        order = np.random.default_rng(1)
        job = {
            "version": 1, "task": "train", "model": str(folder / "model"), "adapter": None, "threads": 1,
            "output": str(folder / "run/output"), "checkpoint": str(folder / "run/checkpoint"),
            "train": write_rows(folder / "train", documents(LENGTHS)), "eval": write_rows(folder / "eval", documents([15, 30, 9, 4, 11, 8], seed=9)),
            "steps": [order.permutation(len(LENGTHS))[:4].tolist() for _ in range(steps)],
            "options": {**OPTIONS, **options},
        }  # fmt: skip
        yield folder, job


def again(job, name):
    """The same job in a work folder of its own."""
    root = Path(job["output"]).parent.parent / name
    return {**job, "output": str(root / "output"), "checkpoint": str(root / "checkpoint")}


def start(job):
    for name in ("output", "checkpoint"):
        if name in job:
            Path(job[name]).mkdir(parents=True, exist_ok=True)
    path = Path(job["output"]).parent / "job.json"
    path.write_text(json.dumps(job))
    return subprocess.Popen(
        [sys.executable, str(PROGRAM / "main.py"), str(path), "--watch-stdin"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ if GPU else {**os.environ, "CUDA_VISIBLE_DEVICES": ""},
    )  # fmt: skip


def run(job, act=None):
    """Runs to the end; `act` sees every event and the process. Returns the code, the events and the log."""
    child = start(job)
    log = []
    reader = threading.Thread(target=lambda: log.append(child.stderr.read()))
    reader.start()
    events = []
    for line in child.stdout:
        events.append(json.loads(line))
        if act:
            act(events[-1], child)
    code = child.wait()
    reader.join()
    return code, events, "".join(log)


def result(job):
    output = Path(job["output"])
    names = ("adapter/adapter_config.json", "adapter/adapter_model.safetensors", "metrics.jsonl")
    return {name: (output / name).read_bytes() for name in names}


def at_step(step, what):
    done = []

    def act(event, child):
        if event["type"] == "step" and event["step"] >= step and not done:
            done.append(True)
            what(child)

    return act


def test_a_training_lowers_the_loss_and_leaves_an_adapter_that_peft_loads():
    with project(steps=30) as (folder, job):
        code, events, log = run(job)
        assert code == 0, log
        assert [e["type"] for e in events][0] == "start" and events[-1]["type"] == "done"
        assert len([e for e in events if e["type"] == "step"]) == 30
        summary = json.loads((folder / "run/output/summary.json").read_text())
        assert (
            summary["eval"]["after"]["loss"] < summary["eval"]["before"]["loss"] - 0.05
            or summary["final_loss"] < summary["train_loss"]
        )
        assert summary["steps"] == 30 and summary["rows"] == 120
        for name in ("adapter_config.json", "adapter_model.safetensors"):
            assert str(folder).encode() not in (folder / "run/output/adapter" / name).read_bytes()
        from transformers import AutoModelForCausalLM

        base = AutoModelForCausalLM.from_pretrained(folder / "model", dtype=torch.float32, attn_implementation="eager")
        held = documents([15, 30, 9, 4, 11, 8], seed=9)
        with torch.no_grad():
            theirs = reference_loss(reference(base, folder / "run/output/adapter"), held).sum().item() / sum(
                d.trained for d in held
            )
        assert abs(theirs - summary["eval"]["after"]["loss"]) < 1e-5


def test_the_first_adapter_is_the_one_that_the_embedded_backend_starts_from():
    from lora import _split_mix

    # stages/trainer/embedded/random.ts with seed 3407.
    state, out = 3407, []
    for _ in range(4):
        halves = []
        for _ in range(2):
            state = (state + 0x9E3779B9) & 0xFFFFFFFF
            z = state
            z = ((z ^ (z >> 16)) * 0x21F0AAAD) & 0xFFFFFFFF
            z = ((z ^ (z >> 15)) * 0x735A2D97) & 0xFFFFFFFF
            halves.append(z ^ (z >> 15))
        out.append((halves[0] * 2**21 + (halves[1] >> 11)) / 2**53)
    assert _split_mix(3407, 0, 4).tolist() == out
    assert _split_mix(3407, 1, 3).tolist() == out[1:]


def test_a_training_is_the_same_to_the_bit_when_made_again():
    with project() as (_, job):
        other = again(job, "again")
        assert run(job)[0] == run(other)[0] == 0
        assert result(job) == result(other)


def test_dropout_is_the_same_to_the_bit_when_continued_and_is_not_nothing():
    with project(dropout=0.3, targets=["q_proj", "down_proj"]) as (_, job):
        assert run(job)[0] == 0
        stopped = again(job, "stopped")
        assert run(stopped, at_step(4, lambda child: child.send_signal(signal.SIGTERM)))[0] == 143
        assert run(stopped)[0] == 0
        assert result(job) == result(stopped)
        plain = again({**job, "options": {**job["options"], "dropout": 0.0}}, "plain")
        assert run(plain)[0] == 0
        assert result(plain)["metrics.jsonl"] != result(job)["metrics.jsonl"]


def test_sigterm_sigint_and_the_end_of_stdin_save_and_leave_and_the_run_goes_on_to_the_same_result():
    with project("gpt_oss", targets=[*ATTENTION, "gate_up_proj", "down_proj"]) as (_, job):
        assert run(job)[0] == 0
        stops = [
            lambda c: c.send_signal(signal.SIGTERM),
            lambda c: c.send_signal(signal.SIGINT),
            lambda c: c.stdin.close(),
        ]
        for number, stop in enumerate(stops):
            stopped = again(job, f"stopped-{number}")
            code, events, _ = run(stopped, at_step(4, stop))
            assert code == 143 and events[-1] == {"type": "interrupted"}
            assert not (Path(stopped["output"]) / "adapter").exists()
            code, events, _ = run(stopped)
            resumed = [e for e in events if e["type"] == "resume"]
            assert code == 0 and resumed[0]["step"] >= 4
            assert result(job) == result(stopped)


def test_killed_again_and_again_it_continues_from_its_last_checkpoint_to_the_same_result():
    with project() as (_, job):
        assert run(job)[0] == 0
        killed = again(job, "killed")
        for step in (4, 7):
            assert run(killed, at_step(step, lambda child: child.kill()))[0] == -signal.SIGKILL
        code, events, _ = run(killed)
        assert code == 0 and [e["step"] for e in events if e["type"] == "resume"][0] >= 3
        assert result(job) == result(killed)


def test_a_damaged_checkpoint_counts_as_none():
    with project() as (_, job):
        assert run(job)[0] == 0
        for number, damage in enumerate((lambda p: p.write_bytes(p.read_bytes()[:1000]), flip)):
            damaged = again(job, f"damaged-{number}")
            run(damaged, at_step(4, lambda child: child.kill()))
            damage(Path(damaged["checkpoint"]) / "checkpoint.safetensors")
            code, events, _ = run(damaged)
            assert code == 0 and not [e for e in events if e["type"] == "resume"]
            assert result(job) == result(damaged)


def flip(path):
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)


def test_an_adapter_is_continued_and_one_of_another_shape_refused():
    with project(steps=12) as (folder, job):
        assert run(job)[0] == 0
        first = json.loads((folder / "run/output/summary.json").read_text())
        more = {**again(job, "more"), "adapter": str(folder / "run/output/adapter")}
        assert run(more)[0] == 0
        second = json.loads((Path(more["output"]) / "summary.json").read_text())
        assert second["eval"]["before"]["loss"] == first["eval"]["after"]["loss"]
        other = {**again(more, "other"), "options": {**job["options"], "r": 8}}
        code, events, _ = run(other)
        assert code == 1 and events[-1]["reason"] == "bad-adapter"


def test_micro_batches_keep_the_loss():
    with project() as (_, job):
        cut = again({**job, "options": {**job["options"], "micro_batch": 1}}, "cut")
        assert run(job)[0] == run(cut)[0] == 0
        lines = [[json.loads(line) for line in result(j)["metrics.jsonl"].splitlines()] for j in (job, cut)]
        for whole, part in zip(*lines, strict=True):
            for key, value in whole.items():
                assert abs(part[key] - value) < 1e-4 * max(1, abs(value)), key


def test_the_loss_task_measures_base_and_tuned():
    with project(steps=12) as (folder, job):
        assert run(job)[0] == 0
        summary = json.loads((folder / "run/output/summary.json").read_text())
        task = {key: job[key] for key in ("version", "model", "threads")}
        task |= {
            "task": "loss",
            "adapter": str(folder / "run/output/adapter"),
            "output": str(folder / "loss/output"),
            "rows": job["eval"],
        }
        code, events, log = run(task)
        assert code == 0, log
        measured = json.loads((folder / "loss/output/summary.json").read_text())
        assert measured["base"]["loss"] == summary["eval"]["before"]["loss"]
        assert measured["tuned"]["loss"] == summary["eval"]["after"]["loss"]


def reason(job):
    code, events, log = run(job)
    assert code == 1, log
    assert events[-1]["type"] == "error", log
    return events[-1]


def test_bad_input_is_told_with_its_reason():
    with project() as (folder, job):
        assert reason({**job, "model": "/nowhere"})["reason"] == "bad-model"
        targets = {**job, "options": {**job["options"], "targets": ["gate_up_proj"]}}
        error = reason(targets)
        assert error["reason"] == "unmatched-target" and "q_proj" in error["advice"]
        batch = documents(LENGTHS)
        batch[2].ids[1] = VOCAB
        alien = {**job, "train": write_rows(folder / "alien", batch)}
        error = reason(alien)
        assert error["reason"] == "bad-tokens" and "doc-2" in error["message"]


def test_a_loss_that_is_not_finite_stops_with_the_step_and_the_rows():
    with project() as (folder, job):
        path = folder / "model/model.safetensors"
        tensors = load_tensors(path)
        # A token that only the second row holds.
        batch = documents(LENGTHS)
        for document in batch:
            document.ids[document.ids == 77] = 78
        batch[1].ids[3] = 77
        tensors["model.embed_tokens.weight"][77] = torch.nan
        from safetensors.torch import save_file as save_tensors

        save_tensors(tensors, path, {"format": "pt"})
        broken = {**job, "eval": None, "train": write_rows(folder / "broken", batch), "steps": [[0, 2], [1, 3]]}
        error = reason(broken)
        assert error["reason"] == "training-diverged"
        assert "step 2" in error["message"] and "doc-1" in error["message"] and "doc-3" not in error["message"]


def test_a_second_program_waits_for_the_first():
    with project() as (folder, job):
        import sqlite3

        (folder / "run").mkdir()
        holder = sqlite3.connect(folder / "run/holder", isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        child = start(job)
        try:
            child.wait(timeout=3)
            raise AssertionError("it did not wait")
        except subprocess.TimeoutExpired:
            holder.close()
        assert json.loads(child.stdout.readline())["type"] == "start"
        child.kill()
        child.wait()


def test_the_shards_of_a_model_are_read_as_one_file_is():
    with project() as (folder, job):
        assert run(job)[0] == 0
        whole = load_file(folder / "model/model.safetensors")
        names = sorted(whole)
        shutil.copytree(folder / "model", folder / "cut")
        (folder / "cut/model.safetensors").unlink()
        parts = {"model-1.safetensors": names[::2], "model-2.safetensors": names[1::2]}
        for file, part in parts.items():
            save_file({name: whole[name] for name in part}, folder / "cut" / file)
        index = {"weight_map": {name: file for file, part in parts.items() for name in part}}
        (folder / "cut/model.safetensors.index.json").write_text(json.dumps(index))
        cut = again({**job, "model": str(folder / "cut")}, "cut")
        assert run(cut)[0] == 0
        assert result(job) == result(cut)
