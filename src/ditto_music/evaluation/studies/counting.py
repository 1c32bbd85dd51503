"""Lines of code: those that hold any, comments and docstrings left out."""

from __future__ import annotations

import ast
import inspect
import io
import textwrap
import tokenize
from pathlib import Path

SILENT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


def code_lines(source: str) -> int:
    """Lines of Python source without blanks, comments and docstrings."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in SILENT:
            lines |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if ast.get_docstring(node, clean=False) is not None and first is not None:
                lines -= set(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return len(lines)


def lines_of_class(kind: type) -> int:
    """Of a class."""
    return code_lines(textwrap.dedent(inspect.getsource(kind)))


def lines_of_file(kind: type) -> int:
    """Of the file that a class is in."""
    return code_lines(Path(inspect.getfile(kind)).read_text(encoding="utf-8"))


def lines_of_folder(path: Path) -> int:
    """Of a file, or of all in a folder."""
    files = [path] if path.is_file() else sorted(path.rglob("*.py"))
    return sum(code_lines(file.read_text(encoding="utf-8")) for file in files)
