"""What a batch asks of those who know what jobs mean."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol

from ditto_music.jobs.job import Group, Job, Outcome


class Performer(Protocol):
    """Reads jobs and does them. Sent to workers, so it must pickle."""

    def revision(self, job: Job) -> str:
        """Of all that makes a job's result beside its fields, such as its model's weights."""
        ...

    def kind(self, job: Job) -> Hashable | None:
        """Jobs of one kind may share a batch; None: the job is done on its own.

        Raises
        ------
        InputError
            If the job cannot be understood; nothing has been loaded.
        """
        ...

    def perform(self, group: Group, address: str) -> list[Outcome]:
        """Do the jobs and write their files to an address; one outcome each, never an exception."""
        ...
