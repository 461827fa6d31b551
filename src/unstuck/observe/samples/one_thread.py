"""Linear algebra of numpy's in one thread, while kept samples are reduced."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext

from threadpoolctl import ThreadpoolController


class _Libraries(ThreadpoolController):  # type: ignore[misc]
    """The libraries that are loaded."""

    _warn_if_incompatible_openmp = object  # nothing: how they go together is the program's affair


def one_thread() -> AbstractContextManager[object]:
    """Within it, libraries of linear algebra use one thread, if no other Python thread may need
    them.

    Our matrices are small. Threads of such libraries wait by turning in circles, which on a busy
    machine takes several times the processor time of the work; and how a sum is split between
    them, so its last digits, would depend on the machine.
    """
    if threading.active_count() > 1:
        return nullcontext()
    try:
        limited: AbstractContextManager[object] = _Libraries().limit(limits=1, user_api="blas")
        return limited
    except Exception:  # a library that it does not understand costs only time
        return nullcontext()
