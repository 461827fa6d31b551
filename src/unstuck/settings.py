"""What a project asks of unstuck: the table `[tool.unstuck]` in its pyproject.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unstuck.reading import Unusable, opened

FILE = "pyproject.toml"
LARGEST = 1 << 20  # bytes of it that are read


class BadSettings(Exception):
    """The settings cannot be used; the message is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What `[tool.unstuck]` may say.

    `ignore` names causes whose findings are silenced everywhere, by slug or code. `thresholds` are
    other values for thresholds, by name.
    """

    ignore: tuple[str, ...] = ()
    thresholds: Mapping[str, float] = field(default_factory=dict)


def settings(folder: Path) -> Settings:
    """The settings of the project that a folder belongs to: of the nearest pyproject.toml above it.

    Raises:
        BadSettings: the file is not valid TOML, or its table holds what unstuck does not know.
    """
    file = next((f for f in (place / FILE for place in (folder, *folder.parents)) if f.exists()),
                None)
    if file is None:
        return Settings()
    try:
        with opened(file) as stream:
            text = stream.read(LARGEST).decode(errors="replace")
    except (Unusable, OSError) as error:
        raise BadSettings(str(error)) from None
    if "unstuck" not in text:
        return Settings()  # and whatever is wrong with it is not our business
    import tomllib

    try:
        tools = tomllib.loads(text).get("tool")
    except tomllib.TOMLDecodeError as error:
        raise BadSettings(f"{file} is not valid TOML: {error}") from None
    table = tools.get("unstuck") if isinstance(tools, dict) else None
    return Settings() if table is None else _checked(table, file)


def _checked(table: Any, file: Path) -> Settings:
    where = f"[tool.unstuck] in {file}"
    if not isinstance(table, dict):
        raise BadSettings(f"{where} must be a table")
    for key in table:
        if key not in Settings.__slots__:
            known = " and ".join(Settings.__slots__)
            raise BadSettings(f"{where} has the unknown key {key!r}; unstuck knows {known}")
    ignore = table.get("ignore", [])
    if not isinstance(ignore, list) or not all(isinstance(name, str) for name in ignore):
        raise BadSettings(f"{where}: ignore must be a list of causes, such as [\"dead-relu\"]")
    thresholds = table.get("thresholds", {})
    if not isinstance(thresholds, dict) or not all(
        isinstance(value, int | float) and not isinstance(value, bool)
        for value in thresholds.values()
    ):
        raise BadSettings(f"{where}: thresholds must be a table of numbers")
    return Settings(tuple(ignore), {name: float(value) for name, value in thresholds.items()})
