"""`models`: what can be loaded."""

from __future__ import annotations

import sys

COLUMNS = ("name", "here", "size", "licence", "what it is")
MADE_ON_THE_SPOT = ("debug",)


def models() -> None:
    """List the models by name, with size and licence.

    Plain columns divided by tabs when piped:

        ditto-music models | cut -f 1
    """
    from ditto_music.models import REGISTRY

    rows: list[tuple[str, ...]] = []
    for entry in REGISTRY:
        size = entry.size_bytes()
        here = "yes" if size or entry.name in MADE_ON_THE_SPOT else "no"
        told = f"{size / 1e6:.0f} MB" if size else "-"
        rows.append((entry.name, here, told, entry.licence, entry.about))
    if sys.stdout.isatty():
        _draw(rows)
    else:
        for row in (COLUMNS, *rows):
            print("\t".join(row))


def _draw(rows: list[tuple[str, ...]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(*COLUMNS, box=box.SIMPLE_HEAD)
    for row in rows:
        table.add_row(*row)
    Console().print(table)
