"""`unstuck list`: the causes that unstuck can identify."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from unstuck.clean import put
from unstuck.output import printing

if TYPE_CHECKING:
    from unstuck.rules.cause import Cause


@click.command("list")
def list_causes() -> None:
    """List every cause that unstuck can identify, by family."""
    from unstuck.judge.catalogue import causes

    families: dict[str, list[Cause]] = {}
    for cause in sorted(causes(), key=lambda cause: cause.code):
        families.setdefault(cause.family, []).append(cause)
    known = [cause for family in families.values() for cause in family]
    wide = max((len(cause.slug) for cause in known), default=0)
    long = max((len(cause.code) for cause in known), default=0)
    with printing():
        for index, (family, members) in enumerate(families.items()):
            put(f"{'' if index == 0 else chr(10)}{family}", sys.stdout)
            for cause in members:
                put(f"  {cause.code:<{long}}  {cause.slug:<{wide}}  {cause.title}", sys.stdout)
