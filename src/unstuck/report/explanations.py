"""What is known of a cause, of a symptom and of any word, as `unstuck explain` prints it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable
from importlib.resources import files

from unstuck.judge import catalogue
from unstuck.report import summary
from unstuck.rules.cause import Cause
from unstuck.rules.symptoms import Often, Symptom, classes_of, mentions, signs_of
from unstuck.words import count

WIDTH = 80
EXAMPLES = "examples"  # the folder with what `make pages` wrote of each cause
MOST = 12  # causes that mention a word
OFTEN = {Often.COMMON: "common", Often.SOMETIMES: "", Often.SELDOM: "rare"}


def explain(query: str) -> str:
    """The text of a cause, by slug or code, of a symptom, or of what mentions a word.

    Raises:
        KeyError: nothing is known of it.
    """
    try:
        cause = catalogue.find(query)
    except KeyError:
        pass
    else:
        return explanation(cause) + example(cause)
    symptoms = signs_of(query)
    named = {cause.slug for symptom in symptoms for cause in causes_of(symptom)}
    kinds = (_names,) if symptoms else (_names, _sights, _everything)
    others = [cause for cause in _mentioning(query, kinds) if cause.slug not in named]
    if not symptoms and len(others) == 1:
        return explanation(others[0]) + example(others[0])
    if not symptoms and not others:
        raise KeyError(query)
    parts = [symptom_text(symptom) for symptom in symptoms]
    classes = classes_of(query)
    if classes is not None:
        parts.insert(0, f"{query} is the logarithm of {count(classes, 'class', 'classes')}.\n")
    if others:
        other = "other " if symptoms else ""
        head = count(len(others), f"{other}cause mentions", f"{other}causes mention")
        parts.append(f"{head} {query!r}:\n{_rows(others[:MOST])}")
    return "\n".join([*parts, "`unstuck explain NAME` says more about a cause.\n"])


# A cause -----------------------------------------------------------------------------------------
def explanation(cause: Cause) -> str:
    """The words of a cause, in lines of at most 80 characters."""
    title = textwrap.fill(f"{cause.slug} ({cause.code}): {cause.title}", WIDTH)
    lines = [title]
    for heading, paragraphs in sections(cause):
        lines += ["", heading]
        hanging = "    " if len(paragraphs) == 1 else "      "
        lines += [_filled(paragraph, hanging) for paragraph in paragraphs]
    return "\n".join(lines) + "\n"


def sections(cause: Cause) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Headings and paragraphs about a cause, one text for the terminal and the site's pages."""
    words = cause.words
    thresholds = tuple(
        f"{limit.name} = {format(limit.value, 'g')}: {summary.stopped(limit.reason)} "
        f"Source: {summary.stopped(limit.source)}"
        for limit in cause.thresholds
    )
    every = (
        ("Symptoms", (words.symptom,)),
        ("Consequences", (words.consequence,)),
        ("Why", (words.why,)),
        ("How it is detected", (words.detection,)),
        ("Thresholds", thresholds),
        ("Known limitations", (words.limitations,)),
        ("References", words.references),
    )
    return tuple((head, text) for head, text in every if any(part.strip() for part in text))


def example(cause: Cause) -> str:
    """The fixes of a cause and a program with it, as its page shows them; "" of a plugin's."""
    file = files("unstuck.report") / EXAMPLES / f"{cause.slug}.txt"
    return f"\n{file.read_text(encoding='utf-8')}" if file.is_file() else ""


# Symptoms and words ------------------------------------------------------------------------------
def causes_of(symptom: Symptom) -> list[Cause]:
    """The causes of a symptom, the commonest first; of those alike, first that of which it is the
    likeliest symptom.
    """
    found = [cause for cause in catalogue.causes() if symptom in cause.symptoms]
    return sorted(found, key=lambda c: (-c.often, c.symptoms.index(symptom), c.code))


def symptom_text(symptom: Symptom) -> str:
    """A symptom, its causes by frequency, and the command that decides."""
    sign = symptom.value
    return "\n".join([
        textwrap.fill(f"{sign.slug}: {sign.title}", WIDTH), "",
        _filled(sign.look), "",
        "Causes, the commonest first", _rows(causes_of(symptom)),
        "The command that decides", f"    {sign.command}", _filled(sign.decides), ""])


def _mentioning(
    query: str, kinds: Iterable[Callable[[Cause], Iterable[str]]]
) -> list[Cause]:
    """The causes whose texts hold a query, of the first kind of texts in which any does."""
    known = catalogue.causes()
    for texts in kinds:
        found = [cause for cause in known if mentions(query, texts(cause))]
        if found:
            return sorted(found, key=lambda cause: (-cause.often, cause.code))
    return []


def _names(cause: Cause) -> Iterable[str]:
    return cause.slug, cause.title


def _sights(cause: Cause) -> Iterable[str]:
    return cause.slug, cause.title, cause.words.symptom, cause.words.why


def _everything(cause: Cause) -> Iterable[str]:
    return *_sights(cause), cause.words.consequence, cause.words.detection, cause.words.limitations


def _rows(causes: list[Cause]) -> str:
    wide = max((len(cause.slug) for cause in causes), default=0)
    return "".join(
        f"    {cause.slug:<{wide}}  {OFTEN[cause.often]:<6}  {cause.title}".rstrip() + "\n"
        for cause in causes)


def _filled(paragraph: str, hanging: str = "    ") -> str:
    return textwrap.fill(
        " ".join(paragraph.split()), WIDTH, initial_indent="    ", subsequent_indent=hanging,
        break_long_words=False, break_on_hyphens=False)
