"""Manifests, groups, ledgers and stores; a performer that only writes what it is told."""

import json
import multiprocessing
import os
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import torch
from fsspec.implementations.memory import MemoryFileSystem

from ditto_music import InputError
from ditto_music.jobs import Group, Job, Outcome, read_manifest, run_batch
from ditto_music.jobs.engines import Local
from ditto_music.jobs.grouping import grouped
from ditto_music.jobs.job import Order
from ditto_music.jobs.ledger import Ledger, short
from ditto_music.jobs.store import Store
from ditto_music.sampling.plans import free_memory, memory_budget


@dataclass(frozen=True)
class Scribe:
    """Writes a job's text to its file; refuses ``bad``, takes ``slow`` s, dies at ``deadly``."""

    def revision(self, job: Job) -> str:
        return ""

    def kind(self, job: Job) -> str | None:
        if "bad" in job.fields:
            raise InputError("this is bad: mend it")
        return job.fields.get("kind")

    def perform(self, group: Group, address: str) -> list[Outcome]:
        store, outcomes = Store(address), list[Outcome]()
        for order in group.orders:
            time.sleep(order.job.fields.get("slow", 0.0))
            if "deadly" in order.job.fields and not Path(order.job.fields["deadly"]).exists():
                os._exit(9)
            with store.draft() as folder:
                (folder / "text").write_text(str(order.job.fields["text"]))
                store.put(folder / "text", f"{order.name}.txt")
            report = {"out": f"{order.name}.txt", "together": len(group.orders)}
            outcomes.append(Outcome(order.key, order.job.line, report))
        return outcomes


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def jobs(count: int, **more: object) -> list[dict]:
    return [{"text": f"number {i}", **more} for i in range(count)]


def test_every_job_is_done_once_and_never_again(tmp_path: Path) -> None:
    first = list(run_batch(jobs(5), tmp_path, performer=Scribe()))
    assert [outcome.done for outcome in first] == [True] * 5
    assert len({line["key"] for line in lines(tmp_path / "results.jsonl")}) == 5
    for line in lines(tmp_path / "results.jsonl"):
        assert (tmp_path / line["out"]).read_text().startswith("number")
    assert list(run_batch(jobs(5), tmp_path, performer=Scribe())) == []
    (new,) = run_batch(jobs(6), tmp_path, performer=Scribe())
    assert new.line == 6
    assert not (tmp_path / ".drafts").exists()


def test_a_job_given_twice_is_done_once(tmp_path: Path) -> None:
    assert len(list(run_batch([*jobs(2), *jobs(2)], tmp_path, performer=Scribe()))) == 2


def test_a_bad_job_stops_nothing_and_is_tried_again_when_asked(tmp_path: Path) -> None:
    some = [{"text": 1}, {"text": 2, "bad": True}, {"text": 3}]
    outcomes = {one.line: one for one in run_batch(some, tmp_path, performer=Scribe())}
    assert outcomes[1].done and outcomes[3].done
    assert outcomes[2].error == "line 2: this is bad: mend it"
    (failure,) = lines(tmp_path / "failures.jsonl")
    assert failure["error"] == outcomes[2].error
    assert list(run_batch(some, tmp_path, performer=Scribe())) == []
    (again,) = run_batch(some, tmp_path, performer=Scribe(), retry_failed=True)
    assert again.line == 2
    assert len(lines(tmp_path / "failures.jsonl")) == 1
    mended = [some[0], {"text": 2}, some[2]]
    (done,) = run_batch(mended, tmp_path, performer=Scribe(), retry_failed=True)
    assert done.done
    assert lines(tmp_path / "failures.jsonl") == []


def test_what_is_no_job_stops_nothing(tmp_path: Path) -> None:
    odd = [{"text": np.int64(2)}, 3, {"text": tmp_path}, Job(7, {"text": {4}})]
    given: list[Any] = [{"text": 1}, *odd, {"text": 5}]
    outcomes = {one.line: one for one in run_batch(given, tmp_path, performer=Scribe())}
    assert [line for line, one in outcomes.items() if one.done] == [1, 6]
    assert outcomes[2].error.startswith("line 2 has more than JSON can say (Object of type int64")
    assert outcomes[3].error == 'line 3 is not an object like {"prompt": "calm piano"}'
    assert "PosixPath" in outcomes[4].error and "line 7 has more" in outcomes[7].error
    assert len(lines(tmp_path / "failures.jsonl")) == 4


def test_an_input_that_changed_is_another_job(tmp_path: Path) -> None:
    source = tmp_path / "take.wav"
    source.write_bytes(b"one")
    job = [{"text": 1, "recording": str(source)}]
    out = tmp_path / "out"
    assert len(list(run_batch(job, out, performer=Scribe()))) == 1
    assert list(run_batch(job, out, performer=Scribe())) == []
    source.write_bytes(b"two")
    assert len(list(run_batch(job, out, performer=Scribe()))) == 1


def test_an_address_that_cannot_be_read_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir()
    places = ["nonsense://x", "memory://gone", "zip://take.wav", f"file://{tmp_path}/closed"]
    some = [*({"text": 1, "recording": place} for place in places), {"text": 2}]
    outcomes = list(run_batch(some, tmp_path / "out", performer=Scribe()))
    assert [one.line for one in outcomes if one.done] == [1, 2, 3, 4, 5]


def test_an_id_names_the_files_and_is_each_jobs_own(tmp_path: Path) -> None:
    some = [{"text": 1, "id": "rise"}, {"text": 2, "id": "rise"}, {"text": 3, "id": "../up"}]
    outcomes = {one.line: one for one in run_batch(some, tmp_path, performer=Scribe())}
    assert (tmp_path / "rise.txt").read_text() == "1"
    assert "id 'rise' is taken by an earlier line" in outcomes[2].error
    assert "id '../up' cannot name a file" in outcomes[3].error
    again = list(run_batch(some, tmp_path, performer=Scribe(), retry_failed=True))
    assert [one.done for one in again] == [False, False]  # what is there is not written over
    assert (tmp_path / "rise.txt").read_text() == "1"


def test_an_id_keeps_the_names_of_all_its_files(tmp_path: Path) -> None:
    some = [
        {"text": 1, "id": "try-2"},
        {"text": 2, "id": "try", "count": 2},
        {"text": 3, "id": "more", "count": 2},
        {"text": 4, "id": "more-1"},
        {"text": 5, "id": "more-3"},
        {"text": 6, "id": "much", "count": 10**12},
        {"text": 7, "id": "some", "count": "some"},
    ]
    outcomes = {one.line: one for one in run_batch(some, tmp_path, performer=Scribe())}
    assert [line for line, one in sorted(outcomes.items()) if one.done] == [1, 3, 5, 6, 7]
    assert "id 'try-2' is taken by an earlier line" in outcomes[2].error
    assert "id 'more-1' is taken by an earlier line" in outcomes[4].error


def test_ids_that_differ_in_case_alone_are_one(tmp_path: Path) -> None:
    """As files they are, on macOS and Windows."""
    some = [{"text": 1, "id": "Rise"}, {"text": 2, "id": "rise"}]
    outcomes = {one.line: one for one in run_batch(some, tmp_path, performer=Scribe())}
    assert outcomes[1].done
    assert "id 'rise' is taken by an earlier line" in outcomes[2].error


def test_lines_without_an_id_may_say_so(tmp_path: Path) -> None:
    assert all(one.done for one in run_batch(jobs(3, id=None), tmp_path, performer=Scribe()))


def test_processes_share_the_work(tmp_path: Path) -> None:
    outcomes = list(run_batch(jobs(7), tmp_path, engine=Local(2), performer=Scribe()))
    assert sum(one.done for one in outcomes) == 7
    assert len(list(tmp_path.glob("*.txt"))) == 7


class Planner(Scribe):
    """Tells what a worker would plan with, and what is free."""

    def perform(self, group: Group, address: str) -> list[Outcome]:
        device = torch.device("cpu")
        told = {"budget": memory_budget(device, None), "free": free_memory(device)}
        return [Outcome(order.key, order.job.line, told) for order in group.orders]


def test_processes_share_what_memory_is_free(tmp_path: Path) -> None:
    for workers in (1, 2):
        (outcome,) = run_batch(
            jobs(1), tmp_path / str(workers), engine=Local(workers), performer=Planner()
        )
        assert outcome.report
        part = outcome.report["budget"] / outcome.report["free"]
        assert part == pytest.approx(0.5 / workers, rel=0.1)


def test_only_what_kills_its_worker_is_lost(tmp_path: Path) -> None:
    """A pool breaks as a whole, whatever else is at work in it."""
    some = [{"text": 0, "slow": 0.3, "deadly": "never"}, *jobs(3, slow=0.6)]
    outcomes = {
        one.line: one for one in run_batch(some, tmp_path, engine=Local(2), performer=Scribe())
    }
    assert "line 1: its worker died 3 times" in outcomes[1].error
    assert [outcomes[line].done for line in (2, 3, 4)] == [True] * 3


def test_a_worker_may_die_while_nobody_looks(tmp_path: Path) -> None:
    """As while an outcome is written down: what follows goes to a new pool."""
    once = tmp_path / "once"
    some = [*jobs(1), {"text": 1, "slow": 0.4, "deadly": str(once)}, *jobs(5)[2:]]
    outcomes = run_batch(some, tmp_path / "out", engine=Local(2), performer=Scribe())
    done = [next(outcomes)]
    time.sleep(1.5)
    once.touch()
    done += outcomes
    assert sorted(one.line for one in done if one.done) == [1, 2, 3, 4, 5]


def test_whoever_stops_a_batch_waits_for_no_worker(tmp_path: Path) -> None:
    some = [*jobs(1), *jobs(6, slow=8.0)[1:]]
    running = run_batch(some, tmp_path, engine=Local(2), performer=Scribe())
    next(running)
    assert len(multiprocessing.active_children()) == 2
    running.close()  # type: ignore[attr-defined]
    until = time.monotonic() + 2
    while multiprocessing.active_children() and time.monotonic() < until:
        time.sleep(0.05)
    assert multiprocessing.active_children() == []


def test_a_batch_at_work_keeps_others_out(tmp_path: Path) -> None:
    running = run_batch(jobs(2), tmp_path, performer=Scribe())
    next(running)
    with pytest.raises(InputError, match="another batch is at work there"):
        next(run_batch(jobs(2), tmp_path, performer=Scribe()))
    running.close()  # type: ignore[attr-defined]
    assert len(list(run_batch(jobs(2), tmp_path, performer=Scribe()))) == 1


def test_a_dry_run_checks_and_writes_nothing_down(tmp_path: Path) -> None:
    outcomes = list(run_batch([*jobs(3), {"bad": 1}], tmp_path, engine="dry", performer=Scribe()))
    assert [one.done for one in outcomes] == [True] * 3 + [False]
    assert (tmp_path / "results.jsonl").read_text() == ""
    assert not list(tmp_path.glob("*.txt"))


def test_a_dry_run_forgets_no_failure(tmp_path: Path) -> None:
    some = [{"text": 1}, {"text": 2, "bad": True}]
    list(run_batch(some, tmp_path, performer=Scribe()))
    before = (tmp_path / "failures.jsonl").read_text()
    again = run_batch(some, tmp_path, engine="dry", performer=Scribe(), retry_failed=True)
    assert [one.line for one in again] == [2]
    assert (tmp_path / "failures.jsonl").read_text() == before


def test_an_address_in_memory() -> None:
    address = "memory://batch-of-test"
    assert len(list(run_batch(jobs(3), address, performer=Scribe()))) == 3
    with fsspec.open(f"{address}/results.jsonl", "rt") as file:
        written = [json.loads(line) for line in file]
    for line in written:
        with fsspec.open(f"{address}/{line['out']}", "rt") as file:
            assert file.read().startswith("number")
    (new,) = run_batch(jobs(4), address, performer=Scribe())
    assert new.line == 4


@pytest.mark.parametrize("moment", range(1, 8))
def test_a_ledger_at_an_address_outlives_a_kill(
    moment: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is being done to files there, and half of what is being written is there."""

    class Killed(BaseException):
        pass

    store, left = Store(f"memory://kill-{moment}"), moment
    for name in ("put_file", "cp_file", "rm_file"):
        act = getattr(store.files, name)

        def dying(*given: Any, act: Callable[..., None] = act, **how: Any) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                if act.__name__ == "put_file":
                    whole = Path(given[0]).read_bytes()
                    store.files.pipe_file(given[1], whole[: len(whole) // 2])
                raise Killed
            act(*given, **how)

        monkeypatch.setattr(store.files, name, dying)
    sent = 0
    with suppress(Killed):
        for start in range(2):  # one that goes on where the other ended
            ledger = Ledger(store, "results.jsonl")
            for number in range(1 + 2 * start, 3 + 2 * start):
                ledger.add({"key": f"{number:032}"})
                ledger.send()
                sent = number
            ledger.close()
            assert not store.files.exists(f"{store.root}/.results.jsonl.new")
    monkeypatch.undo()
    assert len(list(Ledger(store, "results.jsonl").keys())) >= sent > 0 or moment == 1


def test_memory_is_flat_over_a_long_manifest(tmp_path: Path) -> None:
    """Of a job that is done no more than its short key is kept."""

    def many(count: int) -> Iterator[dict]:
        return ({"text": "x" * 500, "number": i, "kind": "a"} for i in range(count))

    def most(count: int) -> int:
        """Bytes at the peak."""
        tracemalloc.start()
        try:
            outcomes = run_batch(many(count), tmp_path, engine="dry", performer=Scribe())
            assert sum(one.done for one in outcomes) == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    most(100)  # what is loaded at first stays
    assert (most(20_000) - most(2000)) / 18_000 < 250  # a job; its line alone is 550


# --- parts ---------------------------------------------------------------------------------------


def test_a_manifest_of_good_and_bad_lines(tmp_path: Path) -> None:
    path = tmp_path / "jobs.jsonl"
    path.write_text('{"prompt": "a"}\n\nnonsense\n[1]\n{"prompt": "b"}\n')
    read = list(read_manifest(path))
    assert [(type(one), one.line) for one in read] == [
        (Job, 1),
        (Outcome, 3),
        (Outcome, 4),
        (Job, 5),
    ]
    assert isinstance(read[1], Outcome) and "line 3 is not JSON" in read[1].error
    assert isinstance(read[2], Outcome) and "line 4 is not an object" in read[2].error
    path.write_text('{"prompt": "a"}\n', encoding="utf-8-sig")  # as Windows marks text
    assert [type(one) for one in read_manifest(path)] == [Job]
    with pytest.raises(InputError, match="no such manifest"):
        list(read_manifest(tmp_path / "none.jsonl"))
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is not text"):
        list(read_manifest(tmp_path / "binary"))


def order(number: int, kind: str | None) -> Order:
    return Order(Job(number, {}), str(number), str(number), kind)


def test_groups_are_of_one_kind_and_never_wait_beyond_the_window() -> None:
    seen = 0

    def orders() -> Iterator[Order]:
        nonlocal seen
        for number, kind in enumerate(["a", "b", None, "a", "b", "a", "c", "d", "e", "a"]):
            seen += 1
            yield order(number, kind)

    made = []
    for group in grouped(orders(), most=3, window=4):
        made.append([each.job.line for each in group.orders])
        assert seen - sum(map(len, made)) <= 4
    assert made[0] == [2]  # on its own, at once
    assert made[1] == [0, 3]  # four waited, and "a" had waited longest
    assert sorted(number for group in made for number in group) == list(range(10))
    assert all(len(group) <= 3 for group in made)


def test_half_a_last_line_is_taken_away(tmp_path: Path) -> None:
    store = Store(tmp_path)
    path = tmp_path / "results.jsonl"
    whole = json.dumps({"key": "a" * 32}) + "\n"
    for torn in ("", '{"key": "b', '{"key"' + "x" * 200_000):
        path.write_text(whole + torn)
        ledger = Ledger(store, "results.jsonl")
        assert list(ledger.keys()) == [short("a" * 32)]
        ledger.add({"key": "c" * 32})
        ledger.close()
        assert [line["key"][0] for line in lines(path)] == ["a", "c"]
    path.write_text('{"half')
    ledger = Ledger(store, "results.jsonl")
    assert list(ledger.keys()) == []
    ledger.close()


def test_half_a_line_in_the_middle_is_told_with_its_number(tmp_path: Path) -> None:
    good = json.dumps({"key": "a" * 32})
    for bad in ('{"key": "b', "[]", "{}", '{"key": 1}', '{"key": "no"}', "\x00\xff"):
        (tmp_path / "results.jsonl").write_text(f"{good}\n{bad}\n{good}\n")
        with pytest.raises(InputError, match=r"results\.jsonl: line 2 is damaged: take it away"):
            next(run_batch(jobs(1), tmp_path, performer=Scribe()))


def test_a_line_that_does_not_fit_is_no_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(Store(tmp_path), "results.jsonl")
    ledger.add({"key": "a" * 32})
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:9]))
    with pytest.raises(OSError, match="No space left"):
        ledger.add({"key": "b" * 32})
    monkeypatch.undo()
    ledger.add({"key": "c" * 32})
    ledger.close()
    assert [line["key"][0] for line in lines(tmp_path / "results.jsonl")] == ["a", "c"]


def test_a_folder_that_is_closed_to_this_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, how: Path(path) != tmp_path)
    with pytest.raises(InputError, match=f"the folder {tmp_path} is not writable"):
        next(run_batch(jobs(1), tmp_path, performer=Scribe()))
    results = tmp_path / "results.jsonl"
    results.touch()
    monkeypatch.setattr(os, "access", lambda path, how: Path(path) != results)
    with pytest.raises(InputError, match=r"results\.jsonl: is write-protected"):
        next(run_batch(jobs(1), tmp_path, performer=Scribe()))


def test_an_address_that_refuses_whoever_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """As S3 does without credentials, by an error of its own kind."""

    def refuse(*_: object, **__: object) -> None:
        raise Exception("no credentials")

    for name in ("_open", "makedirs"):
        monkeypatch.setattr(MemoryFileSystem, name, refuse)
    refused = r"memory://x: cannot be used \(no credentials\)"
    with pytest.raises(InputError, match=refused):
        list(read_manifest("memory://x"))
    with pytest.raises(InputError, match=refused):
        Store("memory://x")


def test_places_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file: give a folder"):
        Store(tmp_path / "file")
    with pytest.raises(InputError, match="cannot be used"):
        Store("nonsense://somewhere")
    with pytest.raises(InputError, match="engine 'cloud' is unknown"):
        next(run_batch(jobs(1), tmp_path, engine="cloud", performer=Scribe()))
