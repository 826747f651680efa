"""The process around a task: events to stdout as JSON lines, and one way to be interrupted, whoever asks for it."""

import json
import os
import signal
import sys
import threading
import time

from failure import Interrupted

STARTED = time.perf_counter()


def seconds() -> float:
    """Since the program started."""
    return time.perf_counter() - STARTED


class Process:
    def __init__(self, watch_parent: bool):
        self.interrupted = False
        # Libraries print; only events may reach the parent.
        self._events = os.dup(1)
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop())
        if watch_parent:
            threading.Thread(target=self._watch, daemon=True).start()

    def emit(self, type: str, **fields) -> None:
        line = memoryview(f"{json.dumps({'type': type, **fields})}\n".encode())
        try:
            while line:
                line = line[os.write(self._events, line) :]
        except BrokenPipeError:
            pass

    def check_interrupt(self) -> None:
        if self.interrupted:
            raise Interrupted

    def _stop(self) -> None:
        self.interrupted = True

    def _watch(self) -> None:
        """The end of stdin means that the parent died, which no signal would tell."""
        try:
            while os.read(0, 4096):
                pass
        except OSError:
            pass
        self._stop()
