"""
Training steps of the CUDA trainer on a GPU, gpt-oss-20b's shape with random weights made on the machine.

    python bench/trainer/cuda_step.py check attention speed profile packed fp8 mxfp4 peers

check      gradients in bf16 beside transformers + PEFT in float32 and in bf16, 4 layers of the full shape
attention  the attention kernels by tile shape
speed      8 x 1024 tokens, LoRA r=8 on attention; then half of the tokens trained; then 16 x 1024
profile    where the time of a step goes
packed     rows of 60-400 tokens
fp8        experts in float8: gradients beside bf16's, then speed
mxfp4      the packed base: with and without checkpointing
peers      transformers + PEFT, eager and flex_attention
"""

import gc
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "stages/trainer/cuda"))

import numpy as np  # noqa: E402
import torch  # noqa: E402

from config import parse_config  # noqa: E402
from decoder import Decoder  # noqa: E402
from job import Options  # noqa: E402
from lora import Factors, LoraShape  # noqa: E402
from optimiser import AdamW  # noqa: E402
from packing import pack  # noqa: E402
from tokens import Document  # noqa: E402

GPU = torch.device("cuda")
BF16 = torch.bfloat16
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
OPTIONS = Options(
    r=8, alpha=16, rslora=False, targets=list(ATTENTION), micro_batch="auto", lr=2e-4, scheduler="constant", warmup=0,
    weight_decay=0.01, max_grad_norm=1.0, beta1=0.9, beta2=0.999, eps=1e-8, seed=1, save_steps=0, eval_steps=0, log_steps=1,
)  # fmt: skip
SHAPE = {
    "model_type": "gpt_oss", "num_hidden_layers": 24, "num_local_experts": 32, "num_experts_per_tok": 4, "hidden_size": 2880,
    "intermediate_size": 2880, "head_dim": 64, "num_attention_heads": 64, "num_key_value_heads": 8, "vocab_size": 201088,
    "sliding_window": 128, "tie_word_embeddings": False, "max_position_embeddings": 131072, "attention_bias": True,
    "rope_parameters": {
        "rope_type": "yarn", "rope_theta": 150000.0, "factor": 32.0, "beta_fast": 32.0, "beta_slow": 1.0, "truncate": False,
        "original_max_position_embeddings": 4096,
    },
}  # fmt: skip


class RandomWeights:
    """Stands where a model's files would be."""

    def __init__(self, packed: bool):
        self.packed = packed
        self.random = torch.Generator(GPU).manual_seed(1)

    def has(self, name: str) -> bool:
        return not name.endswith("_blocks") or self.packed

    def into(self, name: str, target: torch.Tensor) -> None:
        if "norm" in name:
            target.fill_(1)
        elif name.endswith("_blocks"):
            target.random_(0, 256, generator=self.random)
        elif name.endswith("_scales"):
            target.random_(118, 122, generator=self.random)
        else:
            random = self.random if target.is_cuda else None
            target.normal_(0, 0.5 if "sinks" in name else 0.02, generator=random)


def build(packed: bool = False, targets=ATTENTION, **shape):
    free()
    started = time.perf_counter()
    config = parse_config({**SHAPE, **shape}, "bench")
    factors = Factors(config, LoraShape(8, 16, False, targets), GPU, BF16)
    decoder = Decoder(config, RandomWeights(packed), factors, GPU, BF16)
    factors.start(1)
    factors.refresh()
    torch.cuda.synchronize()
    print(
        f"built {decoder.parameters / 1e9:.2f} B in {time.perf_counter() - started:.1f} s, {torch.cuda.memory_allocated() / 2**30:.1f} GiB",
        flush=True,
    )
    return decoder


def free() -> None:
    gc.collect()
    torch.cuda.empty_cache()


def documents(lengths, share=1.0, vocab=200000, seed=0):
    random = np.random.default_rng(seed)
    return [
        Document(
            i,
            random.integers(0, vocab, n).astype(np.int32),
            (random.random(n) < share).astype(np.uint8) if share < 1 else np.ones(n, np.uint8),
        )
        for i, n in enumerate(lengths)
    ]


def speed(decoder: Decoder, lengths, what: str, share=1.0, steps=8, warm=3) -> float:
    adam = AdamW(decoder.factors, OPTIONS)
    free()
    torch.cuda.reset_peak_memory_stats()
    times, device, loss = [], [], 0.0
    batches = [documents(lengths, share, min(200000, decoder.config.vocab), i) for i in range(4)]
    try:
        torch.cuda.synchronize()
        packed = pack(batches[0], GPU)
        for i in range(steps + warm):
            started = time.perf_counter()
            marks = [torch.cuda.Event(enable_timing=True) for _ in range(2)]
            marks[0].record()
            decoder.factors.gradient.zero_()
            losses = decoder.step(packed, i)
            decoder.factors.gradient.mul_(1 / len(packed.owners))
            norm = adam.step(2e-4, i + 1)
            decoder.factors.refresh()
            marks[1].record()
            # As in training: the next step's rows are packed while the device works.
            packed = pack(batches[(i + 1) % 4], GPU)
            loss = losses.double().mean().item()
            norm.item()
            times.append(time.perf_counter() - started)
            device.append(marks[0].elapsed_time(marks[1]))
    except torch.OutOfMemoryError as error:
        print(f"{what:58} out of memory: {str(error)[:120]}", flush=True)
        return 0.0
    middle, busy = sorted(times[warm:])[steps // 2], sorted(device[warm:])[steps // 2]
    tokens = sum(lengths)
    peak = torch.cuda.max_memory_allocated() / 2**30
    print(
        f"{what:58} {tokens / middle:8.0f} tok/s {middle * 1e3:7.1f} ms ({busy:.1f} on the device)  peak {peak:5.1f} GiB  loss {loss:.3f}  {decoder.config.layers} layers",
        flush=True,
    )
    return tokens / middle


def profile(decoder: Decoder, lengths=(1024,) * 8, rows=38) -> None:
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as record

    packed = pack(documents(lengths), GPU)
    for _ in range(2):
        decoder.step(packed, 0)
    torch.cuda.synchronize()
    with record(activities=[ProfilerActivity.CUDA]) as trace:
        started = time.perf_counter()
        decoder.step(packed, 0)
        queued = time.perf_counter() - started
        torch.cuda.synchronize()
    events = sorted(trace.key_averages(), key=lambda e: -e.device_time_total)
    total = sum(e.device_time_total for e in events) / 1e3
    print(f"profile: {total:.1f} ms of kernels, queued in {queued * 1e3:.1f} ms")
    for e in events[:rows]:
        print(
            f"  {e.device_time_total / 1e3:7.2f} ms {e.count:5d} x {e.device_time_total / e.count:8.1f} us  {e.key[:95]}"
        )
    sys.stdout.flush()


def attention() -> None:
    from triton.testing import do_bench

    from kernels import attention as k

    random = torch.Generator(GPU).manual_seed(0)
    choices = {
        "FORWARD": [
            (128, 64, 1, 8, 3),
            (128, 64, 1, 4, 3),
            (64, 64, 2, 8, 3),
            (64, 64, 2, 4, 3),
            (64, 64, 1, 4, 3),
            (32, 64, 4, 8, 3),
            (64, 32, 2, 8, 3),
        ],
        "QUERIES": [
            (128, 64, 1, 8, 2),
            (64, 64, 2, 8, 2),
            (64, 64, 2, 8, 3),
            (64, 64, 1, 4, 2),
            (64, 64, 1, 4, 3),
            (64, 32, 2, 8, 3),
            (32, 64, 4, 8, 2),
        ],
        "KEYS": [
            (64, 64, 1, 4, 2),
            (64, 64, 1, 4, 3),
            (64, 32, 1, 4, 3),
            (128, 32, 1, 8, 3),
            (128, 64, 1, 8, 2),
            (128, 64, 1, 8, 3),
            (64, 128, 1, 8, 2),
            (128, 32, 1, 4, 3),
        ],
    }
    for lengths in ((1024,) * 8, (8192,), (230,) * 35):
        packed = pack(documents(lengths), GPU)
        tokens = sum(lengths)
        for window in (0, 128):
            qkv = torch.randn(tokens, 5152, generator=random, device=GPU, dtype=BF16)
            split = lambda t: tuple(p.unflatten(1, (-1, 64)) for p in t[:, :5120].split([4096, 512, 512], 1))  # noqa: E731
            g, out = (torch.randn(tokens, 64, 64, generator=random, device=GPU, dtype=BF16) for _ in range(2))
            sinks = torch.randn(64, generator=random, device=GPU, dtype=BF16)
            into = split(torch.empty_like(qkv))
            forward = lambda: k.attention_forward(*split(qkv), sinks, window, packed.blocks, out)  # noqa: E731
            lse = forward()
            back = lambda: k.attention_backward(g, *split(qkv), out, lse, window, packed.blocks, into)  # noqa: E731
            for name, tried in choices.items() if len(lengths) == 8 else [("as it is", [None])]:
                table = getattr(k, name, {})
                kept, line = table.get((True, window > 0)), []
                for choice in tried:
                    if choice:
                        table[True, window > 0] = k.Tiles(*choice)
                    try:
                        times = [do_bench(f, 20, 60, return_mode="median") for f in (forward, back)]
                        line.append(
                            f"{choice}: {times[0]:.3f}+{times[1]:.3f}"
                            if not choice
                            else f"{choice}: {times[name != 'FORWARD']:.3f}"
                        )
                    except Exception as error:
                        line.append(f"{choice}: {type(error).__name__}")
                if kept:
                    table[True, window > 0] = kept
                print(f"attention {len(lengths)}x{lengths[0]} window {window} {name}: {'; '.join(line)}", flush=True)


def products() -> None:
    """The experts' products: torch's grouped one beside one product an expert on several streams."""
    from triton.testing import do_bench

    random = torch.Generator(GPU).manual_seed(0)
    chosen = torch.rand(8192, 32, generator=random, device=GPU).topk(4, -1).indices
    ends = torch.bincount(chosen.flatten(), minlength=32).cumsum(0).to(torch.int32)
    bounds = [0, *ends.tolist()]
    print("rows of experts", [b - a for a, b in zip(bounds, bounds[1:], strict=False)][:8])
    streams = [torch.cuda.Stream() for _ in range(4)]

    def apart(x, w, out, count):
        now = torch.cuda.current_stream()
        for stream in streams[:count]:
            stream.wait_stream(now)
        for e in range(32):
            with torch.cuda.stream(streams[e % count]):
                torch.mm(x[bounds[e] : bounds[e + 1]], w[e], out=out[bounds[e] : bounds[e + 1]])
        for stream in streams[:count]:
            now.wait_stream(stream)

    for name, k, n in (("up", 2880, 5760), ("down", 2880, 2880), ("up back", 5760, 2880)):
        x = torch.randn(32768, k, generator=random, device=GPU, dtype=BF16)
        wide = torch.randn(32, n, k, generator=random, device=GPU, dtype=BF16) * 0.02
        for layout, w in (("[k, n]", wide.transpose(1, 2).contiguous()), ("[n, k]^T", wide.transpose(1, 2))):
            out = torch.empty(32768, n, device=GPU, dtype=BF16)
            flops = 2 * 32768 * k * n
            line = []
            t = do_bench(lambda: torch._grouped_mm(x, w, offs=ends), 50, 200, return_mode="median")
            line.append(f"grouped {t:.3f} ms {flops / t / 1e9:.0f}")
            for count in (1, 2, 3, 4):
                t = do_bench(lambda: apart(x, w, out, count), 50, 200, return_mode="median")
                line.append(f"{count} streams {t:.3f} ms {flops / t / 1e9:.0f}")
            t = do_bench(lambda: torch.mm(x, w[0], out=out), 50, 200, return_mode="median")
            line.append(f"one matrix {t:.3f} ms {flops / t / 1e9:.0f} TFLOP/s")
            print(f"products {name} {layout}: {'; '.join(line)}", flush=True)


def check() -> None:
    import tempfile

    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "test/stages/trainer/cuda"))
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, GptOssConfig

    from adapter import tensor_name, write_adapter

    torch.backends.cuda.matmul.allow_tf32 = False
    raw = {**SHAPE, "num_hidden_layers": 4, "num_local_experts": 8, "vocab_size": 8192}
    config = parse_config(raw, "check")
    torch.manual_seed(0)
    with torch.device(GPU):
        model = AutoModelForCausalLM.from_config(
            GptOssConfig(**{k: v for k, v in raw.items() if k != "model_type"}), attn_implementation="eager", dtype=BF16
        )
    random = torch.Generator(GPU).manual_seed(1)
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.requires_grad_(False)
            if "sinks" in name or name.endswith("bias"):
                p.normal_(0, 0.5 if "sinks" in name else 0.02, generator=random)
    state = model.state_dict()

    class FromModel:
        def has(self, name):
            return name in state

        def into(self, name, target):
            target.copy_(state[name])

    factors = Factors(config, LoraShape(8, 16, False, ATTENTION), GPU, BF16)
    decoder = Decoder(config, FromModel(), factors, GPU, BF16)
    factors.weights.normal_(0, 0.02, generator=random)
    # Both sides must see the same numbers.
    factors.weights.copy_(factors.weights.to(BF16))
    factors.refresh()
    batch = documents([200, 37, 150, 301], 0.7, 8192)
    packed = pack(batch, GPU)
    found = {}
    for kind in ("none", "full"):
        decoder.checkpointing = kind
        factors.gradient.zero_()
        losses = decoder.step(packed, 0)
        found[kind] = factors.gradient.clone() / len(packed.owners)
    print(
        "checkpointing changes the gradient by",
        (found["full"] - found["none"]).norm().item() / found["none"].norm().item(),
    )
    with tempfile.TemporaryDirectory() as folder:
        write_adapter(Path(folder), config, factors, 0.0)
        gradients, sums = {}, {}
        for dtype in (torch.float32, BF16):
            net = PeftModel.from_pretrained(
                model.to(dtype), folder, is_trainable=True, autocast_adapter_dtype=False
            ).eval()
            total = 0.0
            for d in batch:
                ids = torch.from_numpy(d.ids.astype(np.int64)).to(GPU)
                logits = net(input_ids=ids[None]).logits[0, :-1].float()
                each = torch.nn.functional.cross_entropy(logits, ids[1:], reduction="none")
                total = total + each[torch.from_numpy(d.mask[1:] == 1).to(GPU)].sum()
            total = total / len(packed.owners)
            total.backward()
            p = dict(net.named_parameters())
            gradients[dtype] = torch.cat(
                [
                    p[tensor_name(n, ATTENTION).replace(".weight", ".default.weight")].grad.float().flatten()
                    for n, _ in factors.named(factors.weights)
                ]
            )
            sums[dtype] = total.item()
            model = net.unload()
    want = gradients[torch.float32]
    error = lambda g: ((g - want).norm() / want.norm()).item()  # noqa: E731
    print(
        f"check: loss float32 {sums[torch.float32]:.5f}, ours bf16 {losses.mean().item():.5f}, eager bf16 {sums[BF16]:.5f}"
    )
    print(
        f"check: gradient's distance from float32: ours {error(found['none']):.4f}, eager bf16 {error(gradients[BF16]):.4f}",
        flush=True,
    )


def fp8(eight: list[int]) -> None:
    """MXFP4's values, first in bf16, then in float8, where they are exact: only rows are rounded."""
    decoder = build(packed=True, num_hidden_layers=4)
    random = torch.Generator(GPU).manual_seed(5)
    block = decoder.layers[0].block
    x, stream, g = (torch.randn(8192, 2880, generator=random, device=GPU, dtype=BF16) for _ in range(3))
    packed = pack(documents(eight), GPU)
    decoder.factors.weights.normal_(0, 0.02, generator=random)
    decoder.factors.refresh()
    found = {}
    for kind in ("bf16", "fp8"):
        if kind == "fp8":
            decoder.round_experts()
        out, saved = block.forward(x, stream, True)
        rows, routes, other = block.backward(g, x, saved)
        decoder.factors.gradient.zero_()
        losses = decoder.step(packed, 0)
        found[kind] = [t.float() for t in (out - stream, rows, other, decoder.factors.gradient.clone(), losses.mean())]
    away = [f"{((b - a).norm() / a.norm()).item():.4f}" for a, b in zip(found["bf16"], found["fp8"], strict=True)]
    print(
        f"fp8 beside bf16: one block's output {away[0]}, its rows' gradient {away[1]}, its router's {away[2]}; 4 layers: gradient {away[3]}, loss {away[4]}",
        flush=True,
    )
    print("norms of the gradients", [f[3].norm().item() for f in found.values()], flush=True)
    del decoder, block
    decoder = build(packed=True)
    decoder.round_experts()
    speed(decoder, eight, "MXFP4 values in fp8, 8 x 1024, every token trained")
    profile(decoder, rows=14)
    speed(decoder, eight, "MXFP4 values in fp8, 8 x 1024, half trained", 0.5)
    lengths = seed_rows()
    speed(decoder, lengths, f"MXFP4 values in fp8, {len(lengths)} rows of 60-400, packed, 60 %", 0.6)


def seed_rows() -> list[int]:
    random = np.random.default_rng(3)
    lengths: list[int] = []
    while sum(lengths) < 8192:
        lengths.append(int(random.integers(60, 401)))
    return lengths


def main(what: list[str]) -> None:
    import triton

    print(
        f"{torch.cuda.get_device_name()}, torch {torch.__version__}, triton {triton.__version__}, {time.strftime('%Y-%m-%d')}",
        flush=True,
    )
    if "check" in what:
        check()
        free()
    if "attention" in what:
        attention()
        free()
    if "products" in what:
        products()
        free()
    eight = [1024] * 8
    if {"speed", "profile", "packed"} & set(what):
        decoder = build()
        if "speed" in what:
            speed(decoder, eight, "bf16, 8 x 1024, every token trained")
        if "profile" in what:
            profile(decoder)
        if "speed" in what:
            speed(decoder, eight, "bf16, 8 x 1024, half trained", 0.5)
            speed(decoder, [1024] * 16, "bf16, 16 x 1024, every token trained", steps=5)
        if "packed" in what:
            lengths = seed_rows()
            speed(decoder, lengths, f"bf16, {len(lengths)} rows of 60-400, packed, 60 % trained", 0.6)
        for kind in ("selective", "full") if "speed" in what else ():
            decoder.checkpointing = kind
            speed(decoder, eight, f"bf16, 8 x 1024, checkpointing {kind}", steps=5)
        del decoder
        free()
    if "mxfp4" in what:
        decoder = build(packed=True)
        for kind in ("none", "selective", "full"):
            decoder.checkpointing = kind
            speed(decoder, eight, f"MXFP4 base, 8 x 1024, checkpointing {kind}", steps=5)
        speed(decoder, [1024], "MXFP4 base, 1 x 1024, checkpointing full", steps=5)
        del decoder
        free()
    if "fp8" in what:
        fp8(eight)
        free()
    if "peers" in what:
        from cuda_peers import peers

        peers()
        peers((("flex_attention", False, 0, 0), ("flex_attention", True, 0, 0)), seed_rows())


if __name__ == "__main__":
    main(sys.argv[1:] or ["check", "speed"])
