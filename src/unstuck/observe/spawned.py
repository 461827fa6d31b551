"""Processes that the program starts through Python's multiprocessing: each is watched as well.

Such a process is a new interpreter, which is first handed the path on which it finds modules. That
path brings the watching with it. A helper, such as a worker of a DataLoader, is left alone, and so
is a plain fork.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import spawn, util
from typing import Any, Protocol

from unstuck.folders import PROCESS

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Modules of functions that wait for work of others, and would be watched in vain.
_HELPERS = ("multiprocessing.", "concurrent.", "torch.utils.data.")
# Whatever fails here, the program's own process goes on.
_BEGIN = """
try:
    import sys
    sys.path.append(root)
    try:
        from unstuck.observe import program, spawned
    finally:
        sys.path.remove(root)
    spawned.begin(program.Child(program.Parent(""), config, target))
except Exception:
    pass
"""


class Watched(Protocol):
    """The watching of a process: observe.program.Child."""

    def forget(self) -> None:
        """In a fork of it, which is not watched."""

    def finish(self) -> None:
        """Writes how it ended, once."""

    @property
    def finder(self) -> Any:
        """Begins the watching when torch is imported."""


class _Path(list[str]):
    """A path that becomes a plain list when it is read, and then begins the watching."""

    def __init__(self, path: Sequence[str], config: str, target: Sequence[str]) -> None:
        super().__init__(path)
        self._begins = {"begin": _BEGIN, "root": _ROOT, "config": config, "target": list(target)}

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        # Of builtins alone, so that it can be read where nothing of ours is found.
        return eval, ("exec(begin) or path", {**self._begins, "path": list(self)})


class Spawning:
    """Hands on to each process that the program spawns how it is to be watched.

    Args:
        options: how the program itself is watched, as its process was told.
        target: the program, as it was named.
    """

    def __init__(self, options: Mapping[str, Any], target: Sequence[str]) -> None:
        self._options = options
        self._target = target
        self._numbers = itertools.count()
        self._process = os.getpid()

    def install(self) -> None:
        """Begins to do so, until the process ends."""
        given = spawn.get_preparation_data

        def get_preparation_data(name: str) -> dict[str, Any]:
            data: dict[str, Any] = given(name)
            try:
                starts = sys._getframe(1).f_locals.get("process_obj")
                if os.getpid() == self._process and not _helps(starts):
                    data["sys_path"] = self._path(data["sys_path"])
            except Exception:  # ours, and none of the program's business
                pass
            return data

        spawn.get_preparation_data = get_preparation_data

    def _path(self, path: Sequence[str]) -> _Path:
        number = next(self._numbers)
        config = json.dumps({
            **self._options, "spawned": True, "max_steps": None,
            "folder": os.path.join(self._options["folder"], PROCESS.format(number)),
            "record": f"{self._options['record']}-{number}",
        })
        return _Path(path, config, self._target)


def _helps(process: object) -> bool:
    """Whether a process only waits for work of others; also if that cannot be told."""
    module = getattr(getattr(process, "_target", None), "__module__", None)
    return process is None or str(module).startswith(_HELPERS)


def begin(child: Watched) -> None:
    """Watches this process, which the program has spawned, to its end."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=child.forget)
    child.finder.install()
    _finish_at_end(child)
    # What a fork server has forked forgets, as it begins, what was to be done at its end.
    util.register_after_fork(child, _finish_at_end)


def _finish_at_end(child: Watched) -> None:
    util.Finalize(None, child.finish, exitpriority=-1)  # after those of the program
