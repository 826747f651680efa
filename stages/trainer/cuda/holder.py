"""One trainer at a time in a work folder: an exclusive SQLite transaction, which the kernel ends with its process."""

import sqlite3
import time
from pathlib import Path


def hold(output: Path) -> sqlite3.Connection:
    """Waits for the folder that `output` lies in; the hold lasts as long as the connection."""
    connection = sqlite3.connect(output.parent / "holder", timeout=0, isolation_level=None)
    while True:
        try:
            connection.execute("BEGIN EXCLUSIVE")
            return connection
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            time.sleep(0.05)
