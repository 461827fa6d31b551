"""The child process: runs the user's program as `__main__`, watched from its own `import torch` on.

Started as `python program.py CONFIG script args…` or `python program.py CONFIG -m module args…`.
Until the program imports torch, nothing is imported here that the interpreter has not imported
itself: a module loaded early would shadow one of the program's own, or cost it time. What is
measured, and how, lives in `session`.
"""

from __future__ import annotations

import atexit
import io
import os
import sys

TYPE_CHECKING = False  # the name that type checkers know; importing `typing` is too early here
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType, TracebackType
    from typing import Any

    from unstuck.facts import End
    from unstuck.observe.session import Session

REFUSED = "refused"  # a file that the child leaves in the record's folder: why nothing was run
UNWATCHED = "unwatched"  # the same: why a program was run but not watched
_HERE = os.path.dirname(os.path.abspath(__file__))
_ROOT = os.path.dirname(os.path.dirname(_HERE))


class RefusedError(Exception):
    """The program cannot be started; the message is one sentence for the user."""


class TorchFinder:
    """Calls `then` when the program's first import of torch is complete; otherwise never there."""

    def __init__(self, then: Callable[[], None]) -> None:
        self._then = then

    def install(self) -> None:
        """Starts to notice."""
        sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """Stops to notice; safe to call twice."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What the other finders find; torch's loader tells us when it is done."""
        if name != "torch":
            return None
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            if finder is self or find is None:
                continue
            spec: ModuleSpec | None = find(name, path, target)
            if spec is not None:
                self._follow(spec.loader)
                return spec
        return None

    def _follow(self, loader: Any) -> None:
        original = getattr(loader, "exec_module", None)
        # A class as loader is shared by all its modules; a plain folder named torch has none.
        if original is None or isinstance(loader, type) or not hasattr(loader, "__dict__"):
            return

        def exec_module(module: ModuleType) -> None:
            if module.__name__ != "torch":  # a zip archive's loader serves many modules
                original(module)
                return
            loader.__dict__.pop("exec_module", None)
            original(module)
            self.remove()
            self._then()

        # On the instance: `torch.__loader__` stays the very object that it would have been.
        loader.exec_module = exec_module


class Child:
    """One run of one program."""

    def __init__(self, config: str, target: list[str]) -> None:
        self._config = config  # JSON, read only once torch is there: it imports json itself
        self._target = target
        self._process = os.getpid()
        self._finder = TorchFinder(self._start)
        self._session: Session | None = None
        self._stop: type[BaseException] | None = None
        self._text = True
        self._max_steps: int | None = None
        self._unwatched = False
        self._spec: ModuleSpec | None = None
        self._end: End | None = None

    def run(self) -> None:
        """Runs the program as plain Python would; raises whatever it raises."""
        atexit.register(self._finish)  # first in, last out: after the program's own farewells
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)
        main = type(sys)("__main__")
        main.__dict__["__builtins__"] = sys.modules["builtins"]
        if sys.version_info < (3, 14):  # later ones make it when it is asked for
            main.__annotations__ = {}
        sys.modules["__main__"] = main
        try:
            code = self._module(main) if self._target[0] == "-m" else self._script(main)
            exec(code, main.__dict__)
        except BaseException as error:
            self._mark(error)
            self._finish_if_alone()
            if self._stop is not None and isinstance(error, self._stop):
                return
            sys.excepthook = _without_our_frames(sys.excepthook)
            raise
        self._mark(None)
        self._finish_if_alone()

    # The two ways to name a program ---------------------------------------------------------------
    def _script(self, main: ModuleType) -> CodeType:
        path, *arguments = self._target
        sys.argv = [path, *arguments]
        _forge_original_arguments(self._target)
        absolute = os.path.join(os.getcwd(), path)  # not normalised: the interpreter does neither
        if os.path.isdir(absolute):
            return self._folder(main, absolute)
        if not sys.flags.safe_path:
            sys.path.insert(0, os.path.dirname(os.path.realpath(path)))
        loader = sys.modules["_frozen_importlib_external"].SourceFileLoader("__main__", absolute)
        main.__dict__.update(
            __file__=absolute, __spec__=None, __cached__=None, __loader__=loader, __package__=None
        )
        self._finder.install()
        with io.open_code(absolute) as file:
            source = file.read()
        return compile(source, absolute, "exec", dont_inherit=True)

    def _folder(self, main: ModuleType, folder: str) -> CodeType:
        import runpy

        sys.path.insert(0, folder)
        self._finder.install()
        details = runpy._get_main_module_details(RefusedError)  # type: ignore[attr-defined]
        _, spec, code = details
        self._become(main, spec)
        return code  # type: ignore[no-any-return]

    def _module(self, main: ModuleType) -> CodeType:
        import runpy

        _, name, *arguments = self._target
        if not sys.flags.safe_path:
            sys.path.insert(0, os.getcwd())
        sys.argv = ["-m", *arguments]  # what a package's __init__ sees while it is looked up
        _forge_original_arguments(self._target)
        self._finder.install()
        details = runpy._get_module_details(name, RefusedError)  # type: ignore[attr-defined]
        _, spec, code = details
        sys.argv[0] = spec.origin
        self._become(main, spec)
        return code  # type: ignore[no-any-return]

    def _become(self, main: ModuleType, spec: ModuleSpec) -> None:
        self._spec = spec
        main.__dict__.update(
            __file__=spec.origin, __spec__=spec, __cached__=spec.cached, __loader__=spec.loader,
            __package__=spec.parent,
        )

    # Watching -------------------------------------------------------------------------------------
    def _start(self) -> None:
        try:
            import json

            options = json.loads(self._config)
            self._text, self._max_steps = options["program_text"], options["max_steps"]
            sys.path.append(_ROOT)  # at the end: only where the program cleared its path
            try:
                from unstuck.observe import session, stop
            finally:
                sys.path.remove(_ROOT)
            from pathlib import Path

            self._session = session.Session.start(session.Options(
                folder=Path(options["folder"]),
                max_steps=self._max_steps,
                overhead=options["overhead"],
                program_text=self._text,
                argv=tuple(self._target) if self._text else (),
                program_folder=self._program_folder(),
            ))
            self._stop = stop.StopTraining
        except Exception as error:
            self._say_unwatched(f"{type(error).__name__}: {_first_line(error)}")
            if os.environ.get("UNSTUCK_DEBUG"):
                import traceback

                traceback.print_exc()

    def _say_unwatched(self, why: str) -> None:
        self._unwatched = True
        _say(f"could not watch: {why}; the program goes on unwatched")
        _leave(self._config, UNWATCHED, why)

    def _program_folder(self) -> str | None:
        """Where the user's own code lives, even if that is inside site-packages."""
        if self._target[0] != "-m":
            path = os.path.realpath(self._target[0])
            return path if os.path.isdir(path) else os.path.dirname(path)
        package = sys.modules.get(self._target[1].partition(".")[0])
        folders: list[str] = list(getattr(package, "__path__", ()))
        if folders:  # the package may import torch before the module itself is found
            return os.path.realpath(folders[0])
        if self._spec is None or not self._spec.origin:
            return None
        folder = os.path.dirname(os.path.realpath(self._spec.origin))
        # A lone module beside every installed package: the folder says nothing.
        return None if os.path.basename(folder) in _LIBRARY_FOLDERS else folder

    def _forget(self) -> None:
        """In a forked child: it is not watched and never writes."""
        self._finder.remove()
        self._session = None

    # The end --------------------------------------------------------------------------------------
    def _mark(self, error: BaseException | None) -> None:
        """Notes how the program's main module ended."""
        if os.getpid() != self._process or self._session is None:
            return
        try:
            from dataclasses import replace

            from unstuck.facts import EndKind
            from unstuck.observe.session import end_of

            end = end_of(error, self._session.sites, self._text)
            end = replace(end, status=end.status & 0xFF)  # all that the system keeps of it
            if end.kind is EndKind.EXIT and not end.status:
                end = replace(end, kind=EndKind.FINISHED)
            if self._session.stopped:  # even where the program made another error of it
                end = replace(end, kind=EndKind.STOPPED, max_steps=self._max_steps)
            self._end = end
        except Exception as failure:  # the program's own traceback must come first
            _say(f"the end of the run was not recorded: {type(failure).__name__}: {failure}")

    def _finish_if_alone(self) -> None:
        """Finishes now unless another thread may still train.

        An atexit callback that calls os._exit must not cost the record its last line.
        """
        threading = sys.modules.get("threading")
        if threading is None or not any(
            thread is not threading.main_thread() and not thread.daemon
            for thread in threading.enumerate()
        ):
            self._finish()

    def _finish(self) -> None:
        if os.getpid() != self._process:
            return
        if self._session is None:
            torch = getattr(sys.modules.get("torch"), "__file__", None)
            if torch and not self._unwatched and self._finder in sys.meta_path:
                self._say_unwatched("torch was imported in a way that could not be noticed")
            return
        session, self._session = self._session, None
        try:
            from unstuck.facts import End, EndKind

            session.finish(self._end or End(EndKind.FINISHED))
        except Exception as error:
            _say(f"the end of the run was not recorded: {type(error).__name__}: {error}")


_LIBRARY_FOLDERS = ("site-packages", "dist-packages")


def _first_line(error: BaseException) -> str:
    try:
        return str(error).strip().partition("\n")[0]
    except Exception:  # an exception whose own str() fails
        return ""


def _without_our_frames(hook: Callable[..., Any]) -> Callable[..., Any]:
    """An excepthook that shows the traceback which the program would have had alone."""

    def excepthook(
        kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> Any:
        seen: set[int] = set()
        chain: list[BaseException | None] = [error]
        while chain:
            link = chain.pop()
            if link is None or id(link) in seen:
                continue
            seen.add(id(link))
            link.__traceback__ = _clean(traceback if link is error else link.__traceback__)
            chain += [link.__cause__, link.__context__]
        return hook(kind, error, error.__traceback__)

    return excepthook


def _clean(traceback: TracebackType | None) -> TracebackType | None:
    kept: list[TracebackType] = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        file = code.co_filename
        # Ours, or a function of torch whose code `swap` exchanged for a call of ours.
        shim = any(name.startswith("__unstuck_") for name in code.co_names)
        if shim or file.startswith(_HERE + os.sep):
            # The interpreter hides the import system's frames by itself, but not around ours.
            while kept and kept[-1].tb_frame.f_code.co_filename.startswith("<frozen importlib"):
                kept.pop()
        elif kept or not file.startswith("<frozen runpy"):
            kept.append(traceback)
        traceback = traceback.tb_next
    for index, link in enumerate(kept):
        link.tb_next = kept[index + 1] if index + 1 < len(kept) else None
    return kept[0] if kept else None


def _forge_original_arguments(target: list[str]) -> None:
    """`sys.orig_argv` as if the interpreter had been started on the program itself."""
    original = sys.orig_argv
    if len(original) > len(target) + 1:
        sys.orig_argv = [*original[: len(original) - len(target) - 2], *target]


def _say(sentence: str) -> None:
    try:
        sys.stderr.write(f"unstuck: {sentence}\n")
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):  # no standard error, or a closed one
        pass


def _leave(config: str, name: str, why: str) -> None:
    """Tells the parent by a file in the record's folder."""
    import json

    try:
        with open(os.path.join(json.loads(config)["folder"], name), "w", encoding="utf-8") as file:
            file.write(why)
    except OSError:
        pass


def main() -> None:
    """Takes over from the interpreter: `sys.argv` is [this file, CONFIG, target, args…]."""
    if not sys.flags.safe_path:
        del sys.path[0]  # our own folder, which holds modules of common names
    _, config, *target = sys.argv
    try:
        Child(config, target).run()
    except RefusedError as error:
        _leave(config, REFUSED, str(error))
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
