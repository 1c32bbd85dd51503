"""The Ray engine on a real local cluster of several nodes, one of which is killed."""

import os
from pathlib import Path

import pytest

from ditto_music.jobs import run_batch
from ditto_music.jobs.engines import Ray
from tests.jobs.test_batch_command import heard, lines, ramps
from tests.jobs.test_jobs import Planner, Scribe, jobs

ray = pytest.importorskip("ray")

pytestmark = pytest.mark.slow


def test_a_node_that_dies_loses_nothing(tmp_path: Path) -> None:
    from ray.cluster_utils import Cluster

    from ditto_music.cli.manifest import Commands

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    second = cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False)
    try:
        cluster.wait_for_nodes()
        some, out = ramps(12, iterations=15), tmp_path / "out"
        engine = Ray(workers=2, cpus=0.5)
        outcomes = []
        for outcome in run_batch(some, out, engine=engine, performer=Commands(), most=1):
            outcomes.append(outcome)
            if len(outcomes) == 2:
                cluster.remove_node(second, allow_graceful=False)
        assert all(outcome.done for outcome in outcomes), [one.error for one in outcomes]
        assert len(lines(out / "results.jsonl")) == 12
    finally:
        ray.shutdown()
        cluster.shutdown()
    still = tmp_path / "still"
    assert all(one.done for one in run_batch(some, still, performer=Commands(), most=1))
    made, wanted = heard(out), heard(still)
    assert made.keys() == wanted.keys()
    for name, samples in wanted.items():
        assert abs(made[name] - samples).max() < 1e-3


def test_actors_share_what_memory_is_free(tmp_path: Path) -> None:
    """By their cores, of a machine that may have more of them than this batch asks for."""
    ray.init(num_cpus=2, log_to_driver=False)
    cores = os.cpu_count() or 1
    try:
        for workers, cpus in ((1, 1.0), (4, 0.5)):
            engine = Ray(workers=workers, cpus=cpus)
            (outcome,) = run_batch(
                jobs(1), tmp_path / str(workers), engine=engine, performer=Planner()
            )
            assert outcome.report is not None, outcome.error
            part = outcome.report["budget"] / outcome.report["free"]
            assert part == pytest.approx(0.5 * max(1 / workers, cpus / cores), rel=0.1)
    finally:
        ray.shutdown()


def test_paths_start_where_the_batch_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers start in the folder of whoever started Ray."""
    ray.init(num_cpus=1, log_to_driver=False)
    try:
        monkeypatch.chdir(tmp_path)
        Path("here").touch()
        job = {"text": 1, "deadly": "here"}  # not where that file is
        (outcome,) = run_batch([job], "out", engine=Ray(), performer=Scribe())
        assert outcome.report is not None, outcome.error
        assert (tmp_path / "out" / outcome.report["out"]).is_file()
    finally:
        ray.shutdown()


def test_only_what_kills_its_worker_is_lost(tmp_path: Path) -> None:
    some = [*jobs(1), {"text": 1, "deadly": "never"}, *jobs(4)[2:]]
    outcomes = {
        one.line: one for one in run_batch(some, tmp_path, engine=Ray(), performer=Scribe())
    }
    assert "line 2: its worker died 3 times" in outcomes[2].error
    assert [outcomes[line].done for line in (1, 3, 4)] == [True] * 3
