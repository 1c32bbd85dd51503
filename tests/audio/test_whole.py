"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import signal
import stat
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from ditto_music.errors import InputError
from ditto_music.whole import check_target, put_in_place, whole, whole_folder


def test_the_file_appears_only_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    with whole(path) as draft:
        draft.write_text("new")
        assert not path.exists()
        assert (draft.parent, draft.suffix) == (tmp_path, ".json")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_an_existing_file_is_replaced_at_once(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    with whole(path) as draft:
        draft.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_new_files_have_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    with whole(tmp_path / "whole") as draft:
        draft.write_text("")
    assert (tmp_path / "whole").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, OSError(errno.EIO, "broken")])
@pytest.mark.parametrize("before", [None, "old"])
def test_a_failure_leaves_everything_as_it_was(
    tmp_path: Path, error: BaseException | type[BaseException], before: str | None
) -> None:
    path = tmp_path / "report.json"
    if before:
        path.write_text(before)
    kind = error if isinstance(error, type) else type(error)
    with pytest.raises(kind), whole(path) as draft:
        draft.write_text("half")
        raise error
    assert [file.read_text() for file in tmp_path.iterdir()] == ([before] if before else [])


def test_a_failing_rename_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EROFS, "read-only")

    monkeypatch.setattr(Path, "replace", fail)
    refused = pytest.raises(InputError, match="read-only; write to another")
    with refused, whole(tmp_path / "a.json") as draft:
        draft.write_text("new")
    assert list(tmp_path.iterdir()) == []


def test_a_body_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), whole(tmp_path / "a.json"):
        pass


@pytest.fixture
def order(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is flushed and renamed, as it comes."""
    order: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(descriptor: int) -> None:
        folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        order.append("flush folder" if folder else "flush")
        fsync(descriptor)

    def noted_replace(path: Path, target: Path) -> Path:
        order.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    return order


def test_the_file_is_flushed_before_it_is_renamed_and_its_folder_after(
    tmp_path: Path, order: list[str]
) -> None:
    with whole(tmp_path / "a.json") as draft:
        draft.write_text("new")
    assert order == ["flush", "rename", "flush folder"]


def test_a_folder_that_cannot_be_flushed_takes_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of some file systems, and on Windows."""
    opened = os.open

    def of_files(path: Path, *rest: int, **how: int) -> int:
        if Path(path).is_dir():
            raise PermissionError(errno.EACCES, "no file")
        return opened(path, *rest, **how)

    monkeypatch.setattr(os, "open", of_files)
    draft = tmp_path / "draft"
    draft.write_text("new")
    put_in_place(draft, tmp_path / "a")
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_a_file_too_large_for_the_disk_is_one_line(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        refused = pytest.raises(InputError, match=r"a\.bin: the file would be larger")
        with refused, whole(tmp_path / "a.bin") as draft:
            draft.write_bytes(bytes(5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "link.json").symlink_to(tmp_path / "far" / "real.json")
    with whole(tmp_path / "link.json") as draft:
        draft.write_text("new")
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "far" / "real.json").read_text() == "new"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no/a.json", "does not exist; create it"),
        ("folder", "this is a folder"),
        ("pipe", "not an ordinary file"),
        ("x" * 300, "name is too long"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused_before_the_body(
    tmp_path: Path, name: str, words: str
) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match=words), whole(tmp_path / name):
        pytest.fail("the body ran")
    with pytest.raises(InputError, match=words):
        check_target(tmp_path / name)


def test_devices_are_never_replaced() -> None:
    with pytest.raises(InputError, match="not an ordinary file"):
        check_target(os.devnull)


def test_a_protected_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    monkeypatch.setattr(os, "access", lambda place, _: Path(place) != path)
    with pytest.raises(InputError, match="write-protected"):
        check_target(path)


def test_an_existing_file_can_be_kept(tmp_path: Path) -> None:
    check_target(tmp_path / "a.json", overwrite=False)
    (tmp_path / "a.json").write_text("old")
    with pytest.raises(InputError, match="exists already"):
        check_target(tmp_path / "a.json", overwrite=False)


def run_like(folder: Path) -> AbstractContextManager[Path]:
    return whole_folder(folder, "run.json", ("run.json", "files"))


def test_a_folder_appears_only_at_the_end_and_replaces_one_of_its_kind(tmp_path: Path) -> None:
    path = tmp_path / "run"
    for text in ("old", "new"):
        with run_like(path) as draft:
            (draft / "run.json").write_text(text)
            assert draft.parent == tmp_path
            assert not path.exists() or (path / "run.json").read_text() == "old"
    assert (path / "run.json").read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with run_like(path) as draft:
        (draft / "run.json").write_text("old")
    with pytest.raises(KeyboardInterrupt), run_like(path) as draft:
        (draft / "run.json").write_text("half")
        raise KeyboardInterrupt
    assert (path / "run.json").read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", [".git", ".mine", "notes.txt"])
def test_a_folder_that_holds_anything_else_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "run"
    (path / name).mkdir(parents=True)
    with pytest.raises(InputError, match="is a folder of other things"), run_like(path):
        pytest.fail("the body ran")
    (path / "run.json").write_text("old")
    with pytest.raises(InputError, match=f"run: holds {name}, too; move it"), run_like(path):
        pytest.fail("the body ran")
    assert sorted(each.name for each in path.iterdir()) == sorted([name, "run.json"])


def test_what_systems_drop_into_folders_is_nobodys(tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.mkdir()
    for name in (".DS_Store", "._run.json", "Thumbs.db", "desktop.ini"):
        (path / name).write_text("")
    for _ in range(2):
        with run_like(path) as draft:
            (draft / "run.json").write_text("new")
    assert [each.name for each in path.iterdir()] == ["run.json"]


def test_every_file_of_a_folder_is_flushed_before_it_is_renamed(
    tmp_path: Path, order: list[str]
) -> None:
    with run_like(tmp_path / "run") as draft:
        (draft / "files").mkdir()
        (draft / "run.json").write_text("new")
        (draft / "files" / "0-a.wav").write_bytes(b"")
    assert order[:3] == ["flush", "flush", "rename"]
