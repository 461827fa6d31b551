"""Which reader a file is for: its kind is detected from the content."""

from __future__ import annotations

from unstuck.logs import (
    console,
    delimited,
    documents,
    event_files,
    lists,
    markup,
    metric_files,
    notebooks,
    weights_and_biases,
)
from unstuck.logs.names import Kind, name_of
from unstuck.logs.source import Source
from unstuck.logs.table import Table, UnusableLog

_OWN = '{"type":"header","schema":'  # the first line of unstuck's own records


def has_curves(table: Table) -> bool:
    """Whether a column is named as a curve and has more than one point."""
    return any(name_of(name).kind in (Kind.LOSS, Kind.SCORE, Kind.RETURN) and len(column) > 1
               for name, column in table.columns.items())


def table_of(file: Source) -> Table:
    """The columns of a file, by the reader of its kind."""
    if event_files.is_event_file(file.head):
        return event_files.read([("", file)])
    if weights_and_biases.is_offline_file(file.head):
        return weights_and_biases.read(file)
    file.refuse_binary()
    text = file.text()
    if text.startswith(_OWN):
        raise UnusableLog(f"{file.name} is a record of unstuck; read it with `unstuck diagnose`")
    if documents.is_json(text) and (shown := notebooks.read(file, table_of)):
        return shown
    if documents.is_json(text) and (table := documents.read(file)):
        if not has_curves(table) and documents.is_lines(table) and has_curves(
                printed := console.read(file)):
            return printed  # messages within records
        return table
    if metric_files.is_metric_file(text):
        return metric_files.read({metric_files.name_in_store(file.path): file})
    if written := markup.read(file):
        return written
    if dialect := delimited.sniff(text):
        return delimited.read(file, dialect)
    found = lists.read(file) if lists.begins(text) else None
    return found or lists.nested(file) or console.read(file)
