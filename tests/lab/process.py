"""Children that do not outlive the process that started them, and processes that must not stand still."""

from __future__ import annotations

import ctypes
import gc
import os
import signal

PR_SET_PDEATHSIG = 1
GARBAGE_EVERY = 10_000, 20, 1_000_000  # new objects, young looks, middle looks: in practice never all of them


def die_with_parent(parent: int, by: signal.Signals = signal.SIGKILL) -> None:
    """For `preexec_fn`: the child gets signal `by` when the thread that started it ends, also if it has by
    now.
    """
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, by)
    if os.getppid() != parent:
        os._exit(1)


def seldom_look_for_garbage() -> None:
    """For who measures: a look through ten thousand records takes half a second, which would count as the product's."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_EVERY)
