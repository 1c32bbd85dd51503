"""`models`: what can be loaded."""

from __future__ import annotations

import sys

COLUMNS = ("name", "here", "size", "licence", "in memory", "gated", "revision", "what it is")
MADE_ON_THE_SPOT = ("debug",)


def models() -> None:
    """List the models by name, with size and licence.

    Public models need `pip install 'ditto-music[hub]'` and are downloaded, in the size shown, when
    they are first used. In memory are their weights, in bfloat16 and float32, once the text
    encoders are let go; what a search takes beyond that is told before it begins.
    OWNER/NAME@REVISION pins a revision; those shown are known. Plain columns divided by tabs when
    piped:

        ditto-music models | cut -f 1
    """
    from ditto_music.models import PUBLIC, REGISTRY
    from ditto_music.models.hub.catalog import is_here

    rows: list[tuple[str, ...]] = []
    for entry in REGISTRY:
        size = entry.size_bytes()
        here = "yes" if size or entry.name in MADE_ON_THE_SPOT else "no"
        told = f"{size / 1e6:.0f} MB" if size else "-"
        rows.append((entry.name, here, told, entry.licence, told, "no", "-", entry.about))
    for public in PUBLIC:
        half, full = (f"{public.memory(count) / 1e9:.1f}" for count in (2, 4))
        rows.append(
            (
                public.name,
                "yes" if is_here(public.name) else "no",
                f"{public.download / 1e9:.1f} GB",
                public.licence,
                f"{half} or {full} GB",
                "yes" if public.gated else "no",
                public.revision or "-",
                f"{public.about} (docs/models/{public.family}.md)",
            )
        )
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
