"""The child process: runs the user's program as `__main__`, watched from its own `import torch` on.

Started as `python program.py CONFIG script args…` or `python program.py CONFIG -m module args…`,
where CONFIG is the number of a descriptor (the pipe to our parent), a space, and JSON.
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

    from unstuck.observe.session import Session
    from unstuck.schema.facts.run import End

# What the parent is told: one line each, the kind first.
WATCHING = "watching"  # the record has been begun
REFUSED = "refused"  # why nothing was run
UNWATCHED = "unwatched"  # why the program was run but not watched
FAILED = "failed"  # a sentence: what went wrong with the watching
DEBUG = "debug"  # a traceback of ours, with UNSTUCK_DEBUG
LONGEST = 3500  # bytes of a message: shorter ones are not torn apart by others
_HERE = os.path.dirname(os.path.abspath(__file__))
_ROOT = os.path.dirname(os.path.dirname(_HERE))


class RefusedError(Exception):
    """The program cannot be started; the message is one sentence for the user."""


class Parent:
    """The pipe to the process that started us. The program's own streams are never written to."""

    def __init__(self, number: str) -> None:
        self._process = os.getpid()
        self._pipe: int | None = None
        if number.isdigit():
            try:
                os.set_inheritable(int(number), False)  # not for what the program starts
                self._identity = self._seen(int(number))
                self._pipe = int(number)
            except OSError:
                pass

    def tell(self, kind: str, text: str) -> bool:
        """Sends a message, if the pipe is still there; raises nothing. Whether it was sent."""
        try:
            # A program that becomes a daemon closes every descriptor, and the number may be a
            # file of its own by now.
            if self._pipe is None or os.getpid() != self._process or (
                self._seen(self._pipe) != self._identity
            ):
                return False
            line = f"{kind} {text}".replace("\n", "\v").encode("utf-8", "backslashreplace")
            os.write(self._pipe, line[:LONGEST] + b"\n")
        except Exception:
            return False
        return True

    @staticmethod
    def _seen(descriptor: int) -> tuple[int, int]:
        found = os.fstat(descriptor)
        return found.st_dev, found.st_ino


class TorchFinder:
    """Calls `then` when the program's first import of torch is complete; otherwise never there."""

    def __init__(self, then: Callable[[], None]) -> None:
        self._then = then

    def install(self) -> None:
        """Starts to notice; in a fork of a process that has torch, it is there at once."""
        self._then() if "torch" in sys.modules else sys.meta_path.insert(0, self)

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
        loader.__dict__["exec_module"] = exec_module


class Child:
    """One run of one program."""

    def __init__(self, parent: Parent, config: str, target: list[str]) -> None:
        self._tell = parent.tell
        self._config = config  # JSON, read only once torch is there: it imports json itself
        self._target = target
        self._process = os.getpid()
        self.finder = TorchFinder(self._start)
        self._session: Session | None = None
        self._stop: type[BaseException] | None = None
        self._text = True
        self._max_steps: int | None = None
        self._unwatched = False
        self._spec: ModuleSpec | None = None
        self._end: End | None = None

    def run(self) -> None:
        """Runs the program as plain Python would; raises whatever it raises."""
        atexit.register(self.finish)  # first in, last out: after the program's own farewells
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.forget)
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
        absolute = path if os.path.isabs(path) else os.path.join(os.getcwd(), path)  # as Python's
        importing = sys.modules["_frozen_importlib_external"]
        if importing.PathFinder._path_importer_cache(absolute) is not None:  # folder or archive
            return self._folder(main, absolute)
        if not sys.flags.safe_path:
            sys.path.insert(0, os.path.dirname(os.path.realpath(path)))
        with io.open_code(absolute) as file:
            source = file.read()
        compiled = path.endswith(".pyc") or source[:2] == importing.MAGIC_NUMBER[:2]
        kind = importing.SourcelessFileLoader if compiled else importing.SourceFileLoader
        loader = kind("__main__", absolute)
        main.__dict__.update(__file__=absolute, __spec__=None, __cached__=None, __package__=None,
                             __loader__=loader)
        self.finder.install()
        if compiled:
            return loader.get_code("__main__")  # type: ignore[no-any-return]
        return compile(source, absolute, "exec", dont_inherit=True)

    def _folder(self, main: ModuleType, folder: str) -> CodeType:
        import runpy

        sys.path.insert(0, folder)
        self.finder.install()
        details = runpy._get_main_module_details(RefusedError)  # type: ignore[attr-defined]
        _, spec, code = details
        self._become(main, spec)
        return code  # type: ignore[no-any-return]

    def _module(self, main: ModuleType) -> CodeType:
        import runpy

        _, name, *arguments = self._target
        if not sys.flags.safe_path:
            try:  # noqa: SIM105 - contextlib is not there yet
                sys.path.insert(0, os.getcwd())
            except OSError:  # the folder is gone: plain Python leaves it out, too
                pass
        sys.argv = ["-m", *arguments]  # what a package's __init__ sees while it is looked up
        _forge_original_arguments(self._target)
        self.finder.install()
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
                overhead=options["overhead"], program_text=self._text,
                argv=tuple(self._target) if self._text else (),
                program_folder=session.program_folder(self._target, self._spec),
                say=lambda sentence: self._tell(FAILED, sentence),
                record=options.get("record"), signals=options.get("signals"),
                keep_state=options.get("keep_state", False),
                restore=options.get("restore") and Path(options["restore"]),
            ))
            self._stop = stop.StopTraining
            self._tell(WATCHING, "")
            session.hand_on(options, self._target)
        except Exception as error:
            self._unwatched = True
            self._tell(UNWATCHED, _described(error))
            self._debug(error)
        except BaseException:  # a key, or an exception of a handler of the program's own
            if self._session is None:
                self._unwatched = True
                self._tell(UNWATCHED, "it was interrupted while unstuck was starting to watch")
            raise

    def _debug(self, error: BaseException) -> None:
        if os.environ.get("UNSTUCK_DEBUG"):
            import traceback

            self._tell(DEBUG, "".join(traceback.format_exception(error))[-LONGEST // 2:])

    def forget(self) -> None:
        """In a forked child: it is not watched and never writes."""
        self.finder.remove()
        self._session = None

    # The end --------------------------------------------------------------------------------------
    def _mark(self, error: BaseException | None) -> None:
        """Notes how the program's main module ended."""
        if os.getpid() != self._process or self._session is None:
            return
        try:
            from unstuck.observe.session import end_of_program

            self._end = end_of_program(error, self._session, self._text, self._max_steps)
        except Exception as failure:
            self._not_recorded(failure)

    def _not_recorded(self, error: BaseException) -> None:
        self._tell(FAILED, "how the run ended was not recorded because of an error in unstuck "
                          f"({_described(error)})")
        self._debug(error)

    def _finish_if_alone(self) -> None:
        """Finishes now unless another thread may still train.

        An atexit callback that calls os._exit must not cost the record its last line.
        """
        threading = sys.modules.get("threading")
        if threading is None or not any(
            thread is not threading.main_thread() and not thread.daemon
            for thread in threading.enumerate()
        ):
            self.finish()

    def finish(self) -> None:
        """Writes how the run ended, once; raises nothing."""
        if os.getpid() != self._process:
            return
        if self._session is None:
            torch = getattr(sys.modules.get("torch"), "__file__", None)
            if torch and not self._unwatched and self.finder in sys.meta_path:
                self._unwatched = True
                self._tell(UNWATCHED, "unstuck could not detect the import of torch")
            return
        session, self._session = self._session, None
        try:
            from unstuck.schema.facts.run import End, EndKind

            session.finish(self._end or End(EndKind.FINISHED))
        except BaseException as error:  # the program is over, and what a key ends now is ours
            self._not_recorded(error)


def _described(error: BaseException) -> str:
    """An error and where it arose."""
    try:
        says = str(error).strip().partition("\n")[0]
    except Exception:  # an exception whose own str() fails
        says = ""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    if place is not None:
        says += f", {os.path.basename(place.tb_frame.f_code.co_filename)}:{place.tb_lineno}"
    return f"{type(error).__name__}: {says}"


def _without_our_frames(hook: Callable[..., Any]) -> Callable[..., Any]:
    """An excepthook that shows the traceback which the program would have had alone."""

    def excepthook(kind: Any, error: BaseException, traceback: TracebackType | None) -> Any:
        seen: set[int] = set()
        chain: list[BaseException | None] = [error]
        try:
            while chain:
                link = chain.pop()
                if link is not None and id(link) not in seen:
                    seen.add(id(link))
                    link.__traceback__ = _clean(traceback if link is error else link.__traceback__)
                    chain += [link.__cause__, link.__context__]
        except Exception:  # the error's own attributes may raise
            return hook(kind, error, traceback)
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


def main() -> None:
    """Takes over from the interpreter: `sys.argv` is [this file, CONFIG, target, args…]."""
    if not sys.flags.safe_path:
        del sys.path[0]  # our own folder, which holds modules of common names
    _, config, *target = sys.argv
    number, _, config = config.partition("{")
    parent = Parent(number.strip())
    try:
        Child(parent, "{" + config, target).run()
    except RefusedError as error:
        if not parent.tell(REFUSED, str(error)) and sys.stderr:
            # The program never came to be; as clean.py has it, which is not imported here.
            says = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(error)[:2000])
            sys.stderr.write(f"unstuck: {says}\n")
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
