"""The CUDA trainer as a program: `python main.py job.json [--watch-stdin]`, events on stdout, see schemas/job.json."""

import os
import sys

from events import Process, seconds
from failure import Failure, Interrupted


def main() -> int:
    process = Process("--watch-stdin" in sys.argv)
    # Packs differ in length: segments that grow keep the allocator from breaking memory into pieces that fit none.
    os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
    try:
        from holder import hold
        from job import LossJob, read_job

        job = read_job(sys.argv[1])
        held = hold(job.output)
        if isinstance(job, LossJob):
            from measure import measure_loss

            measure_loss(job, process)
        else:
            from train import train

            train(job, process)
        process.emit("done", seconds=seconds())
        held.close()
        return 0
    except Interrupted:
        process.emit("interrupted")
        return 143
    except Failure as failure:
        advice = {"advice": failure.advice} if failure.advice else {}
        process.emit("error", reason=failure.reason, message=str(failure), **advice)
        return 1
    except OSError as error:
        # The disk is full, a folder is read-only: expected trouble of the machine.
        process.emit("error", reason="file-system", message=str(error))
        return 1
    except RuntimeError as error:
        # Torch's, which is not imported here before there is a job to do.
        if type(error).__name__ != "OutOfMemoryError":
            raise
        message = f"the GPU's memory is too small for the model: {str(error).split('.')[0]}"
        process.emit(
            "error", reason="out-of-memory", message=message, advice="See what else runs on the GPU (nvidia-smi)."
        )
        return 1


if __name__ == "__main__":
    sys.exit(main())
