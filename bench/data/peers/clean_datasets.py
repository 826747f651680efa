"""The seed's cleaning with Hugging Face datasets: its regular expressions, in batched maps over several processes."""
import json
import os
import re
import sys
import time

source, target, processes, work = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]

import datasets

datasets.disable_progress_bars()

SKIP = ["navigation", "copyright", "index", "table of contents", "previous", "next", "click here", "download", "share"]


def clean(content):
    content = re.sub(r"<[^>]+>", "", content)
    content = re.sub(r"!\[.*?\]\(.*?\)", "", content)
    content = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", content)
    content = re.sub(r"```[^`]*```", "", content)
    content = re.sub(r"`[^`]+`", "", content)
    content = re.sub(r"[#*_~>`|-]+", " ", content)
    content = re.sub(r"\\(.)", r"\1", content)
    content = re.sub(r"https?://[^\s]+", "", content)
    content = re.sub(r"\S+\.\w+", "", content)
    return re.sub(r"\s+", " ", content)


def pairs(content):
    kept = []
    for sentence in re.split(r"(?<=[.!?])\s+", clean(content)):
        sentence = sentence.strip()
        if len(sentence) > 30 and not any(skip in sentence.lower() for skip in SKIP):
            kept.append(sentence)
    for first, second in zip(kept, kept[1:]):
        instruction, response = first[:200].strip(), second[:300].strip()
        if len(instruction) > 20 and len(response) > 30:
            yield instruction, response


def all_pairs(batch):
    found = [pair for text in batch["text"] for pair in pairs(text)]
    return {"instruction": [a for a, _ in found], "response": [b for _, b in found]}


def cleaned(batch):
    return {"text": [clean(text) for text in batch["text"]]}


def split(batch):
    return {"lines": [re.split(r"(?<=[.!?])\s+", text) for text in batch["text"]]}


def good(batch):
    keep = lambda line: len(line) > 30 and not any(skip in line.lower() for skip in SKIP)
    return {"lines": [[l for l in (line.strip() for line in lines) if keep(l)] for lines in batch["lines"]]}


def paired(batch):
    found = [(a[:200].strip(), b[:300].strip()) for lines in batch["lines"] for a, b in zip(lines, lines[1:])]
    found = [(a, b) for a, b in found if len(a) > 20 and len(b) > 30]
    return {"instruction": [a for a, _ in found], "response": [b for _, b in found]}


def final(batch):
    strip = lambda text: re.sub(r"[^a-zA-Z0-9\s.,?!]", "", text.strip())
    return {"instruction": [strip(t) for t in batch["instruction"]], "response": [strip(t) for t in batch["response"]]}


begun = time.perf_counter()
rows = datasets.load_dataset("json", data_files=source, split="train", cache_dir=os.path.join(work, "cache"))
seen = set()


def new(value):
    if value in seen:
        return False
    seen.add(value)
    return True


if sys.argv[5] == "pairs":
    if sys.argv[6] == "one":
        rows = rows.map(all_pairs, batched=True, remove_columns=rows.column_names, num_proc=processes)
    else:
        rows = rows.map(cleaned, batched=True, num_proc=processes)
        rows = rows.map(split, batched=True, remove_columns=["text"], num_proc=processes)
        rows = rows.map(good, batched=True, num_proc=processes)
        rows = rows.map(paired, batched=True, remove_columns=rows.column_names, num_proc=processes)
    rows = rows.map(final, batched=True, num_proc=processes)
    rows = rows.filter(
        lambda batch: [len(a) > 10 and len(b) > 20 and new(a) for a, b in zip(batch["instruction"], batch["response"])],
        batched=True,
    )
else:
    rows = rows.map(cleaned, batched=True, num_proc=processes)
    rows = rows.filter(lambda batch: [len(t) > 200 and new(t) for t in batch["text"]], batched=True)
rows.to_json(target, num_proc=processes)
result = {"seconds": time.perf_counter() - begun, "rows": len(rows), "version": datasets.__version__}
json.dump(result, open(os.path.join(work, "result.json"), "w"))
