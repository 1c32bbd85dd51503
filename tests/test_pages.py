"""Links and commands of the pages are those of the project: nothing they name is gone."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from ditto_music.cli.app import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *ROOT.glob("*/README.md")]


SCRIPTS = sorted((ROOT / "examples").glob("*.sh"))


def of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.M | re.S)
    plain = [re.sub(r"[^\w\- ]", "", head.lower()) for head in re.findall(r"^#+ (.*)$", text, re.M)]
    return {head.replace(" ", "-") for head in plain}


def commands(page: Path) -> Iterator[list[str]]:
    """What the lines of code call, split as a shell does, without what it sets and pipes."""
    text = page.read_text("utf-8").replace("\\\n", " ")
    calls = r"^(?:    )?((?:[A-Z_]+=\S* )*(?:ditto-music|python -m (?:benchmarks|training))\b.*)$"
    for line in re.findall(calls, text, re.M):
        words = shlex.split(line, comments=True)
        while "=" in words[0]:
            words.pop(0)
        ends = [i for i, word in enumerate(words) if word in ("&&", "|", ";", ">", "&")]
        yield words[: min(ends, default=None)]


@pytest.mark.parametrize("page", PAGES, ids=of)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^) ]+)", page.read_text("utf-8")):
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        if anchor and there.suffix == ".md":
            assert anchor in anchors(there), target


@pytest.mark.parametrize("page", [*PAGES, *SCRIPTS], ids=of)
def test_every_command_is_one(page: Path) -> None:
    for words in commands(page):
        if words[0] == "ditto-music":
            app.parse_args(words[1:], print_error=False, exit_on_error=False)
            continue
        module = ROOT.joinpath(*words[2].split("."))
        files = [*module.glob("*.py")] or [module.with_suffix(".py")]
        known = "".join(file.read_text("utf-8") for file in files)
        for word in words[3:]:
            if word.startswith("--"):
                assert f'"{word.partition("=")[0]}"' in known, words
