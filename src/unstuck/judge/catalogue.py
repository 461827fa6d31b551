"""Finds the causes, in this package and in installed plugins, and checks that they are sound.

No cause is named here: a file in `unstuck/causes` or an entry point of the group is all it takes.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from unstuck import causes as home
from unstuck.rules.cause import Cause

GROUP = "unstuck.causes"


class BadCatalogue(Exception):
    """A cause, or a plugin with one, cannot be used; the message is one sentence for its author."""


@cache
def causes() -> tuple[Cause, ...]:
    """Every cause, in the order of the codes.

    Raises:
        BadCatalogue: a module or plugin contains no cause, or slugs, codes or thresholds clash.
    """
    found = [_of_module(name) for name in _homes().values()]
    found += [_of_plugin(point) for point in sorted(entry_points(group=GROUP))]
    return checked(found)


def find(name: str) -> Cause:
    """The cause with this slug, former slug or code; capitals do not matter.

    Raises:
        KeyError: there is none.
    """
    wanted = name.strip().lower()
    if (stem := wanted.replace("-", "_")) in (homes := _homes()):
        return _of_module(homes[stem])  # loading all the others would take longer than all else
    for cause in causes():
        if wanted in (cause.slug, cause.code.lower(), *cause.formerly):
            return cause
    raise KeyError(name)


def threshold_names(catalogue: Iterable[Cause]) -> set[str]:
    """The names of the thresholds of these causes."""
    return {threshold.name for cause in catalogue for threshold in cause.thresholds}


def slug_of(name: str) -> str:
    """The slug of the cause with this slug, former slug or code.

    Raises:
        KeyError: there is none.
    """
    return find(name).slug


def checked(found: list[Cause]) -> tuple[Cause, ...]:
    """The causes in the order of their codes, if no two claim the same.

    Raises:
        BadCatalogue: two share a slug, a code or the name of a threshold.
    """
    taken: dict[tuple[str, str], str] = {}
    for cause in found:
        claims = [("code", cause.code)]
        claims += [("slug", slug) for slug in (cause.slug, *cause.formerly)]
        claims += [("threshold", threshold.name) for threshold in cause.thresholds]
        for what, name in claims:
            if (what, name) in taken:
                raise BadCatalogue(
                    f"{cause.slug} claims the {what} {name}, which belongs to {taken[what, name]}")
            taken[what, name] = cause.slug
    return tuple(sorted(found, key=lambda cause: cause.code))


@cache
def _homes() -> dict[str, str]:
    """The modules of causes, by the last part of their names."""
    found = pkgutil.walk_packages(home.__path__, f"{home.__name__}.")
    return {m.name.rpartition(".")[2]: m.name for m in found if not m.ispkg}


def _of_module(name: str) -> Cause:
    module = importlib.import_module(name)
    cause = getattr(module, "CAUSE", None)
    if not isinstance(cause, Cause):
        raise BadCatalogue(f"{name} does not export a CAUSE of type {Cause.__module__}.Cause")
    if cause.slug.replace("-", "_") != name.rpartition(".")[2]:
        raise BadCatalogue(
            f"{name} contains {cause.slug}, but a file must be named after its slug")
    return cause


def _of_plugin(point: EntryPoint) -> Cause:
    package = point.dist.name if point.dist is not None else point.value
    try:
        cause = point.load()
    except Exception as error:
        raise BadCatalogue(
            f"the plugin {package} cannot be loaded from {point.value}: "
            f"{type(error).__name__}: {error}") from error
    cause = getattr(cause, "CAUSE", cause)
    if not isinstance(cause, Cause):
        raise BadCatalogue(
            f"the entry point {point.name} of {package} is a {type(cause).__name__}, not a Cause")
    if cause.slug != point.name:
        raise BadCatalogue(
            f"the entry point {point.name} of {package} contains {cause.slug}, but an entry point "
            "must be named after the slug")
    return cause
