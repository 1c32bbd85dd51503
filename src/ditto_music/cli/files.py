"""The files a command is to write, checked before any long work."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ditto_music.audio import check_output
from ditto_music.errors import InputError
from ditto_music.runs import check_run
from ditto_music.whole import check_target, numbered

if TYPE_CHECKING:
    from ditto_music.cli.shared import Shared


def check_files(shared: Shared, out: Path, count: int = 1, given: Sequence[Path] = ()) -> None:
    """Check that all of them can be written. Nothing is written.

    Parameters
    ----------
    count : how many pieces are to be written and drawn, numbered where they are several.
    given : files that are read.

    Raises
    ------
    InputError
        If one cannot, or would be written over another or over one that is read.
    """
    check_output(out)
    files = numbered(out, count)
    for file in files:
        check_output(file)
    if shared.plot:
        from ditto_music.pictures import check_picture

        check_picture(shared.plot)
        pictures = numbered(shared.plot, count)
        for picture in pictures:
            check_picture(picture)
        files += pictures
    if shared.report:
        check_target(shared.report)
        files.append(shared.report)
    if shared.save_run:
        shared.check_method()
        check_run(shared.save_run)
        files.append(shared.save_run)
    written = [file.resolve() for file in files]
    if len(set(written)) < len(written):
        raise InputError(
            "two of --out, --plot, --report, --save-run name the same file: give each its own"
        )
    lost = [file for file in given if file.resolve() in written]
    if lost:
        raise InputError(f"{lost[0]}: is read and would be written over: write to another name")
    if shared.save_run and any(written[-1] in file.parents for file in written):
        raise InputError(
            f"{shared.save_run}: this folder is replaced as a whole, and another file is to be "
            "written in it: give --save-run a folder of its own"
        )
