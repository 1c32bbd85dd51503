"""Many items: manifests, engines that work through them, and a ledger of what is done.

A job is a command with its flags as plain values. Jobs that can share a batch are grouped, an
engine hands groups to workers, and every outcome is written down before the next is looked at, so a
run that is killed goes on where it was. What a job means is the business of its *performer*; the
command line's own is the default.
"""

from ditto_music.jobs.batch import ENGINES, Tally, run_batch
from ditto_music.jobs.job import Group, Job, Outcome, read_manifest
from ditto_music.jobs.performer import Performer

__all__ = [
    "ENGINES",
    "Group",
    "Job",
    "Outcome",
    "Performer",
    "Tally",
    "read_manifest",
    "run_batch",
]
