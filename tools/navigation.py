"""A hook of mkdocs: puts the causes, by family, under their heading in the navigation."""

from __future__ import annotations

from typing import Any


def on_config(config: Any) -> Any:
    """Replaces the entry of the causes' index by the index and all pages of causes."""
    from tools.pages import by_family

    families: list[dict[str, Any]] = [
        {family: [{cause.title: f"causes/{cause.slug}.md"} for cause in causes]}
        for family, causes in by_family().items()
    ]
    config.nav = [
        {"Causes": ["causes/index.md", *families]} if entry == {"Causes": "causes/index.md"}
        else entry
        for entry in config.nav
    ]
    return config
