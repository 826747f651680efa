"""Runs the facts (`test_*` functions) of the given files, all of the folder by default (`-kword`: those so named): one JSON line a fact."""

import importlib
import json
import sys
import time
import traceback
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")
here = Path(__file__).parent
sys.path.insert(0, str(here))
failed = 0
wanted = [a for a in sys.argv[1:] if not a.startswith("-k")]
only = [a[2:] for a in sys.argv[1:] if a.startswith("-k")]
for name in wanted or sorted(p.stem for p in here.glob("test_*.py")):
    module = importlib.import_module(name)
    for fact, check in list(vars(module).items()):
        if not fact.startswith("test_") or only and not any(part in fact for part in only):
            continue
        started = time.perf_counter()
        error = None
        try:
            check()
        except Exception:
            error = traceback.format_exc()
            failed += 1
        line = {
            "file": name,
            "fact": fact[5:].replace("_", " "),
            "seconds": round(time.perf_counter() - started, 2),
            "error": error,
        }
        print(json.dumps(line), flush=True)
sys.exit(failed > 0)
