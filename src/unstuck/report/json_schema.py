"""The parts that a JSON Schema is made of."""

from __future__ import annotations

from typing import Any


def an_object(description: str, **properties: Any) -> dict[str, Any]:
    """An object with these properties, all of them required."""
    return {
        "description": description,
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": True,  # what comes later is additive
    }


def described(schema: dict[str, Any], description: str) -> dict[str, Any]:
    """A schema with a description."""
    return {"description": description, **schema}


def a_list(items: dict[str, Any]) -> dict[str, Any]:
    """A list of such items."""
    return {"type": "array", "items": items}


def or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Such a value, or null."""
    return {"anyOf": [schema, {"type": "null"}]}
