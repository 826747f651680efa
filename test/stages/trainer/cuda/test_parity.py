"""Loss, gradients and twenty steps beside eager transformers + PEFT in float32; packed beside unpacked."""

import tempfile
from pathlib import Path

import torch
from rig import ATTENTION, CPU, DENSE, documents, make_decoder, make_model, reference, reference_loss, relative

from adapter import tensor_name, write_adapter
from job import Options
from optimiser import AdamW, learning_rate
from packing import best_fit, pack

LENGTHS = [37, 5, 61, 2, 24, 90]
CASES = {
    "llama": DENSE,
    "mistral": ATTENTION,
    "qwen2": ("q_proj", "down_proj"),
    "qwen3": DENSE,
    "gpt_oss": ATTENTION,
}


def both(folder: Path, family: str, targets, **more):
    model = make_model(folder / "model", family)
    decoder = make_decoder(folder / "model", targets, **more)
    write_adapter(folder / "adapter", decoder.config, decoder.factors, 0.0)
    return decoder, reference(model, folder / "adapter")


def their_gradients(net, decoder):
    parameters = dict(net.named_parameters())
    for name, ours in decoder.factors.named(decoder.factors.gradient):
        theirs = parameters[tensor_name(name, decoder.factors.shape.targets).replace(".weight", ".default.weight")]
        yield name, ours, theirs.grad


def check_gradients(family: str, targets, **more):
    with tempfile.TemporaryDirectory() as path:
        decoder, net = both(Path(path), family, targets, **more)
        batch = documents(LENGTHS)
        packed = pack(batch, CPU)
        losses = decoder.step(packed, 0)
        count = len(packed.owners)
        sums = reference_loss(net, batch)
        (sums.sum() / count).backward()
        decoder.factors.gradient /= count
        assert abs(losses.sum().item() / count - sums.sum().item() / count) < 1e-5
        for i, theirs in enumerate(sums.tolist()):
            ours = losses[torch.from_numpy(packed.owners == i)].sum().item()
            assert abs(ours - theirs) < 1e-5 * max(1.0, theirs), f"row {i}: {ours} beside {theirs}"
        for name, ours, theirs in their_gradients(net, decoder):
            assert theirs.norm() > 0, f"{name} has no gradient"
            assert relative(ours, theirs) < 1e-4, f"{name}: {relative(ours, theirs)}"
        assert torch.allclose(decoder.loss(packed), losses, atol=1e-6)


def test_llama_loss_and_gradients():
    check_gradients("llama", CASES["llama"])


def test_mistral_with_a_window_loss_and_gradients():
    check_gradients("mistral", CASES["mistral"])


def test_qwen2_with_two_targets_loss_and_gradients():
    check_gradients("qwen2", CASES["qwen2"])


def test_qwen3_with_tied_head_loss_and_gradients():
    check_gradients("qwen3", CASES["qwen3"])


def test_gpt_oss_loss_and_gradients():
    check_gradients("gpt_oss", CASES["gpt_oss"])


def test_gpt_oss_with_lora_on_the_experts_too():
    check_gradients("gpt_oss", (*ATTENTION, "gate_up_proj", "down_proj"))


def test_gpt_oss_with_lora_on_one_matrix_of_the_experts():
    check_gradients("gpt_oss", ("down_proj",))
    check_gradients("gpt_oss", ("gate_up_proj",))


def test_rslora_counts_alpha_by_the_root_of_r():
    check_gradients("llama", ATTENTION, rslora=True, r=3)


def test_checkpointing_changes_no_number():
    for family in ("llama", "gpt_oss"):
        with tempfile.TemporaryDirectory() as path:
            make_model(Path(path) / "model", family)
            targets = DENSE if family == "llama" else (*ATTENTION, "gate_up_proj", "down_proj")
            decoder = make_decoder(Path(path) / "model", targets)
            packed = pack(documents(LENGTHS), CPU)
            found = []
            for kind in ("none", "selective", "full"):
                decoder.checkpointing = kind
                decoder.factors.gradient.zero_()
                found.append((decoder.step(packed, 0), decoder.factors.gradient.clone()))
            for losses, gradient in found[1:]:
                assert torch.equal(losses, found[0][0])
                assert torch.equal(gradient, found[0][1])


def test_runs_do_not_change_the_step():
    with tempfile.TemporaryDirectory() as path:
        make_model(Path(path) / "model", "gpt_oss")
        decoder = make_decoder(Path(path) / "model", ATTENTION)
        batch = documents(LENGTHS)
        decoder.step(pack(batch, CPU), 0)
        whole = decoder.factors.gradient.clone()
        decoder.factors.gradient.zero_()
        runs = best_fit(LENGTHS, 100, 2)
        assert len(runs) > 2
        for run in runs:
            decoder.step(pack([batch[i] for i in run], CPU), 0)
        assert relative(decoder.factors.gradient, whole) < 1e-5


def test_twenty_steps_of_losses():
    for family, targets in (("llama", DENSE), ("gpt_oss", ATTENTION)):
        with tempfile.TemporaryDirectory() as path:
            decoder, net = both(Path(path), family, targets)
            options = Options(
                r=4, alpha=8, rslora=False, targets=list(targets), micro_batch="auto", lr=3e-3, scheduler="cosine", warmup=3,
                weight_decay=0.01, max_grad_norm=1.0, beta1=0.9, beta2=0.999, eps=1e-8, seed=1, save_steps=0, eval_steps=0, log_steps=1,
            )  # fmt: skip
            adam = AdamW(decoder.factors, options)
            theirs = [p for p in net.parameters() if p.requires_grad]
            their_adam = torch.optim.AdamW(theirs, lr=1.0, weight_decay=0.01)
            first = None
            for step in range(20):
                batch = documents([30, 44, 12], seed=step % 3)
                packed = pack(batch, CPU)
                decoder.factors.gradient.zero_()
                ours = decoder.step(packed, step).mean()
                decoder.factors.gradient /= len(packed.owners)
                lr = learning_rate(options, step, 20)
                adam.step(lr, step + 1)
                decoder.factors.refresh()
                loss = reference_loss(net, batch).sum() / len(packed.owners)
                their_adam.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(theirs, 1.0)
                their_adam.param_groups[0]["lr"] = lr
                their_adam.step()
                assert abs(ours.item() - loss.item()) < 1e-4, (
                    f"{family} step {step}: {ours.item()} beside {loss.item()}"
                )
                first = first or loss.item()
            assert loss.item() < first - 0.05, "it learns"


def test_mxfp4_is_unpacked_as_transformers_does():
    from transformers.integrations.mxfp4 import convert_moe_packed_tensors

    from mxfp4 import unpack

    torch.manual_seed(0)
    blocks = torch.randint(0, 256, (2, 12, 3, 16), dtype=torch.uint8)
    scales = torch.randint(110, 135, (2, 12, 3), dtype=torch.uint8)
    theirs = convert_moe_packed_tensors(blocks, scales)
    assert torch.equal(unpack(blocks, scales, torch.bfloat16).transpose(1, 2), theirs)
