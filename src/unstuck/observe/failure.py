"""Reports an error of ours, wherever that is still possible. Nothing here raises."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from contextlib import suppress

from unstuck.observe.source.sites import OWN_FOLDER
from unstuck.record.writer import RecordWriter


def tell(
    error: Exception, step: int, writer: RecordWriter, say: Callable[[str], object] | None
) -> None:
    """Into the record, and to whoever started the watching; UNSTUCK_DEBUG prints the traceback."""
    says = f"watching stopped at step {step} after an error in unstuck: {sentence(error)}"
    with suppress(Exception):  # the writer itself may be what failed
        writer.odd("watcher-failed", step, says)
    with suppress(Exception):
        if say is not None:
            say(f"{says}; the program continued unwatched")
    if os.environ.get("UNSTUCK_DEBUG"):
        with suppress(Exception):
            traceback.print_exception(error)


def sentence(error: BaseException) -> str:
    """Kind and message of an error in one line, with the line of ours where it arose.

    Cannot fail, whatever the error's own methods do.
    """
    try:
        says = str(error).strip().partition("\n")[0]
    except Exception:
        says = ""
    place = error.__traceback__
    found = None
    while place is not None:
        if place.tb_frame.f_code.co_filename.startswith(OWN_FOLDER):
            found = place
        place = place.tb_next
    at = ""
    if found is not None:
        at = f"{os.path.basename(found.tb_frame.f_code.co_filename)}:{found.tb_lineno}"
    return f"{type(error).__name__}{': ' * bool(says)}{says}{at and f' ({at})'}"
