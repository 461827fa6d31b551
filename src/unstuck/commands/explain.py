"""`unstuck explain`: all that is known of a cause, a symptom or a word."""

from __future__ import annotations

import sys

import click

from unstuck.arguments import refuse
from unstuck.clean import put
from unstuck.output import printing
from unstuck.words import joined


@click.command()
@click.argument("words", metavar="NAME|CODE|WORD...", nargs=-1, required=True)
def explain(words: tuple[str, ...]) -> None:
    """Explain a cause, a symptom or any word.

    Give a cause by its name or code, as `unstuck list` prints them: its symptoms, mechanism and
    detection follow, with its fixes and an example. Or say what you see (nan, flat, 0.693, same
    output), or any word (lr, padding): the causes that can be meant follow, the commonest first.
    """
    from unstuck.report.explanations import explain as explained

    query = " ".join(words)
    try:
        text = explained(query)
    except KeyError:
        import difflib

        from unstuck.judge.catalogue import causes
        from unstuck.rules.symptoms import Symptom

        names = [name for known in causes() for name in (known.slug, known.code)]
        names += [symptom.slug for symptom in Symptom]
        near = difflib.get_close_matches(query.lower(), [n.lower() for n in names], 3, 0.6)
        close = [name for low in near for name in names if name.lower() == low]
        hint = (f"did you mean {joined(close, by='or')}?" if close
                else "`unstuck list` prints all causes")
        refuse(f"nothing is known of {query!r}; {hint}")
    with printing():
        put(text.removesuffix("\n"), sys.stdout)
