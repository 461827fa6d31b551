"""`unstuck explain`: all that is known of a cause."""

from __future__ import annotations

import sys

import click

from unstuck.arguments import refuse
from unstuck.clean import put
from unstuck.output import printing
from unstuck.words import joined


@click.command()
@click.argument("cause", metavar="NAME|CODE")
def explain(cause: str) -> None:
    """Explain a cause: symptoms, mechanism, detection, limitations.

    Give its name or its code, as `unstuck list` prints them.
    """
    from unstuck.report import terminal

    try:
        text = terminal.explain(cause)
    except KeyError:
        import difflib

        from unstuck.judge.catalogue import causes

        names = [name for known in causes() for name in (known.slug, known.code)]
        near = difflib.get_close_matches(cause.lower(), [n.lower() for n in names], 3, 0.6)
        close = [name for low in near for name in names if name.lower() == low]
        hint = (f"did you mean {joined(close, by='or')}?" if close
                else "`unstuck list` prints them all")
        refuse(f"there is no cause {cause!r}; {hint}")
    with printing():
        put(text.removesuffix("\n"), sys.stdout)
