"""Mean loss over rows, each variant of the adapter on the same packs."""

from collections.abc import Callable

from decoder import Decoder
from events import Process
from packing import best_fit, pack
from tokens import TokenRows

# Rows read at a time.
CHUNK = 256


def evaluate(
    rows: TokenRows, decoder: Decoder, variants: list[Callable[[], None]], capacity: int, process: Process
) -> list[dict]:
    """`variants` set the adapter's weights. Sums in row order, so that the result is the same each time."""
    sums = [0.0] * len(variants)
    tokens = 0
    for start in range(0, rows.count, CHUNK):
        documents = [rows.read(row) for row in range(start, min(start + CHUNK, rows.count))]
        runs = best_fit([len(d.ids) for d in documents], capacity, len(documents))
        for run in runs:
            process.check_interrupt()
            batch = pack([documents[i] for i in run], decoder.device)
            tokens += len(batch.owners)
            for i, use in enumerate(variants):
                use()
                sums[i] += decoder.loss(batch).double().sum().item()
        process.emit("progress", done=min(start + CHUNK, rows.count), total=rows.count, unit="rows")
    return [{"loss": total / tokens, "tokens": tokens, "rows": rows.count} for total in sums]
