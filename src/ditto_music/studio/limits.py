"""How much one page, and all pages together, may ask of the machine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What is refused with one clear line when it is exceeded.

    Attributes
    ----------
    upload_bytes : of one file.
    upload_seconds : of one recording; its header is asked before anything is decoded.
    uploads : files one tab may have here at once; the oldest goes first.
    duration : seconds of music made in one go.
    iterations, steps : of one search.
    run_seconds : after which a search ends and keeps its best, so that others get their turn.
    waiting : requests of all tabs together that may wait.
    waiting_each : requests one tab may have waiting or running.
    tabs : pages open at once, or left with pieces that are still here.
    history : results one tab keeps; the oldest goes first.
    body_bytes : of a request that is no upload.
    grace : seconds after a page has said that it leaves before its work ends: it may be loading.
    keep : seconds that a tab nothing is heard of stays, with its pieces and recordings.
    """

    upload_bytes: int = 50_000_000
    upload_seconds: float = 600.0
    uploads: int = 12
    duration: float = 60.0
    iterations: int = 300
    steps: int = 100
    run_seconds: float = 900.0
    waiting: int = 12
    waiting_each: int = 3
    tabs: int = 32
    history: int = 20
    body_bytes: int = 200_000
    grace: float = 8.0
    keep: float = 300.0

    @property
    def upload_samples(self) -> float:
        """Of one recording, all channels together: those of the longest in stereo at 48 kHz."""
        return self.upload_seconds * 2 * 48_000
