"""What a user gets without us, in the same run: transformers + PEFT on gpt-oss-20b's shape, eager and flex_attention."""

import gc
import time

import torch


def peers(
    cases=(("eager", False, 8, 1024), ("flex_attention", False, 8, 1024), ("flex_attention", True, 8, 1024)), rows=None
) -> None:
    """`rows`: lengths of rows that are padded to the longest, as a stock collator does, `cases` but for their sizes."""
    import peft
    import transformers
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, GptOssConfig

    print(f"peers: transformers {transformers.__version__}, peft {peft.__version__}", flush=True)
    model, built = None, None
    for attention, checkpointing, batch, length in cases:
        if built != attention:
            model = None
            gc.collect()
            torch.cuda.empty_cache()
            config = GptOssConfig(num_hidden_layers=24, num_local_experts=32)
            with torch.device("cuda"):
                model = AutoModelForCausalLM.from_config(
                    config, attn_implementation=attention, dtype=torch.bfloat16, experts_implementation="grouped_mm"
                )
            model.requires_grad_(False)
            lora = LoraConfig(
                r=8, lora_alpha=16, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"], task_type="CAUSAL_LM"
            )
            model = get_peft_model(model, lora)
            model.enable_input_require_grads()
            built = attention
        try:
            run(model, attention, checkpointing, batch, length, rows)
        except Exception as error:
            print(f"stock {attention}: {type(error).__name__}: {str(error)[:200]}", flush=True)
        gc.collect()
        torch.cuda.empty_cache()


def run(model, attention: str, checkpointing: bool, batch: int, length: int, rows, steps=4, warm=2) -> None:
    model.train()
    if checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    else:
        model.gradient_checkpointing_disable()
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=2e-4, fused=True)
    torch.cuda.reset_peak_memory_stats()
    useful = sum(rows) if rows else batch * length
    times = []
    for _ in range(steps + warm):
        shape = (len(rows), max(rows)) if rows else (batch, length)
        ids = torch.randint(0, 200000, shape, device="cuda")
        mask = None
        labels = ids
        if rows:
            mask = torch.arange(shape[1], device="cuda")[None] < torch.tensor(rows, device="cuda")[:, None]
            labels = ids.masked_fill(~mask, -100)
        torch.cuda.synchronize()
        started = time.perf_counter()
        loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    middle = sorted(times[warm:])[steps // 2]
    peak = torch.cuda.max_memory_allocated() / 2**30
    what = f"stock {attention}, {f'{len(rows)} rows padded' if rows else f'{batch} x {length}'}{', checkpointing' if checkpointing else ''}"
    print(
        f"{what:58} {useful / middle:8.0f} tok/s {middle * 1e3:7.1f} ms  peak {peak:5.1f} GiB  loss {loss.item():.3f}",
        flush=True,
    )
