"""Cleaning, a length filter and exact deduplication of documents with Data-Juicer's operators."""
import json
import sys
import time

source, target, processes, work = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]

import importlib.metadata

from data_juicer.config import init_configs
from data_juicer.core import DefaultExecutor

PATTERNS = [
    (r"<[^>]+>", ""),
    (r"!\[.*?\]\(.*?\)", ""),
    (r"\[([^\]]+)\]\([^)]+\)", r"\1"),
    (r"```[^`]*```", ""),
    (r"`[^`]+`", ""),
    (r"[#*_~>`|-]+", " "),
    (r"\\(.)", r"\1"),
    (r"https?://[^\s]+", ""),
    (r"\S+\.\w+", ""),
    (r"\s+", " "),
]

config = {
    "project_name": "clean",
    "dataset_path": source,
    "export_path": target,
    "np": processes,
    "text_keys": "text",
    "work_dir": work,
    "ds_cache_dir": f"{work}/cache",
    "open_tracer": False,
    "op_fusion": False,
    "process": [
        {"replace_content_mapper": {"pattern": [f"r'{p}'" for p, _ in PATTERNS], "repl": [r for _, r in PATTERNS]}},
        {"text_length_filter": {"min_len": 200}},
        {"document_deduplicator": {"lowercase": False, "ignore_non_character": False}},
    ],
}
path = f"{work}/clean.json"
json.dump(config, open(path, "w"))
begun = time.perf_counter()
rows = DefaultExecutor(init_configs(["--config", path])).run()
taken = time.perf_counter() - begun
# Data-Juicer takes stdout for its log.
result = {"seconds": taken, "rows": len(rows), "version": importlib.metadata.version("py-data-juicer")}
json.dump(result, open(f"{work}/result.json", "w"))
