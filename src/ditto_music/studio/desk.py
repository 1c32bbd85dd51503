"""Who asked for what, in which order it is made, and what becomes of it when they leave.

One piece is made at a time, for it takes the whole machine; the tabs take turns. Everything here
is plain threads and values: the server only carries it to the pages.
"""

from __future__ import annotations

import re
import secrets
import shutil
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Condition, Thread
from typing import Any, Literal, cast

from torch import Tensor

from ditto_music.audio import read_recording, write_recording
from ditto_music.errors import InputError
from ditto_music.item import Row
from ditto_music.optimize import Progress
from ditto_music.result import Result, finite, give_back
from ditto_music.studio.limits import Limits
from ditto_music.studio.maker import Maker, Piece
from ditto_music.studio.outcome import Outcome, write_draft
from ditto_music.studio.request import Fields, Request, command_line, read_request
from ditto_music.studio.uploads import Uploads

Status = Literal["waiting", "running", "done", "failed", "dropped"]

FIRST_DRAFT, DRAFT_SECONDS = 2, 4.0  # the iteration first heard; then no more often than this
OUT = "music.wav"
ALIVE = ("waiting", "running")


class Left(Exception):
    """Nobody waits for the piece any more."""


@dataclass(eq=False)
class Ticket:
    """One piece that was asked for.

    Attributes
    ----------
    request : with the seed drawn.
    piece, plain : what to run: the piece, and the same left alone.
    source, name : the recording that is edited, and what the user calls it.
    told : what the page shows of its progress.
    draft : number of what can be heard so far; 0 is nothing, and each number is its own file.
    """

    id: str
    tab: Tab
    request: Request
    piece: Piece
    plain: Piece | None
    folder: Path
    command: str
    source: Path | None
    name: str
    status: Status = "waiting"
    told: dict[str, Any] = field(default_factory=dict[str, Any])
    draft: int = 0
    error: str = ""
    outcome: Outcome | None = None
    result: dict[str, Any] | None = None
    stopping: bool = False

    @property
    def plain_audio(self) -> Path:
        """What the same prompt and seed give when left alone; there once it is made."""
        return self.folder / "plain.wav"

    @property
    def title(self) -> str:
        """For the names of its files: its first words, or its recording's, and its seed."""
        words = re.findall(r"\w+", self.request.prompt or Path(self.name).stem)
        return f"{'-'.join(words[:6])[:60]}-seed-{self.request.seed}"

    def draft_audio(self, number: int) -> Path:
        """What could be heard after some iterations."""
        return self.folder / f"draft-{number}.wav"


@dataclass(eq=False)
class Tab:
    """One page, open or left a short while ago.

    Attributes
    ----------
    open : whether it may still be asked for anything.
    left : whether the page has said that it leaves and was not heard of since.
    """

    id: str
    folder: Path
    uploads: Uploads
    tickets: dict[str, Ticket] = field(default_factory=dict[str, Ticket])
    open: bool = True
    left: bool = False

    @property
    def empty(self) -> bool:
        """Whether nothing is here that anybody could come back for."""
        return not self.tickets and not self.uploads


class Desk:
    """Takes requests and makes them, one after another, on a thread of its own.

    Parameters
    ----------
    maker : knows the commands.
    models : names that may be asked for, the first unless another is.
    """

    def __init__(self, maker: Maker, models: Sequence[str], limits: Limits | None = None) -> None:
        self.maker = maker
        self.models = list(models)
        self.limits = limits or Limits()
        self._home = tempfile.TemporaryDirectory(prefix="ditto-music-studio-")
        self._tabs: dict[str, Tab] = {}
        self._queue: list[Ticket] = []
        self._changed = Condition()
        self._closed = False
        self._worker = Thread(target=self._work, name="studio", daemon=True)
        self._worker.start()

    def longest(self) -> dict[str, float]:
        """Seconds of music that may be asked of each model at once."""
        return {name: min(self.limits.duration, self.maker.longest(name)) for name in self.models}

    def open(self) -> Tab:
        """A page was opened.

        Raises
        ------
        InputError
            If there are too many.
        """
        with self._changed:
            left = [tab for tab in self._tabs.values() if tab.left]
            if len(self._tabs) >= self.limits.tabs and left:
                self.leave(left[0])
            if len(self._tabs) >= self.limits.tabs:
                raise InputError("the studio is full: close another of its pages, or come later")
            key = secrets.token_urlsafe(16)
            folder = Path(self._home.name) / secrets.token_hex(8)
            folder.mkdir()
            self._tabs[key] = Tab(key, folder, Uploads(folder, self.limits))
            return self._tabs[key]

    def tab(self, key: str) -> Tab | None:
        """An open page."""
        return self._tabs.get(key)

    def rest(self, tab: Tab) -> None:
        """A page was left: its work ends, what is finished stays for whoever comes back."""
        tab.left = True
        for ticket in list(tab.tickets.values()):
            if ticket.status in ALIVE:
                self.stop(ticket)

    def leave(self, tab: Tab) -> None:
        """Nobody comes back to a page: its work ends and its files go."""
        with self._changed:
            self._tabs.pop(tab.id, None)
            tab.open = False
            self._queue = [ticket for ticket in self._queue if ticket.tab is not tab]
            working = any(ticket.status == "running" for ticket in tab.tickets.values())
            tab.tickets.clear()  # or each would hold the other, and all the sound in them
            self._changed.notify_all()
        if not working:  # else the worker clears up once it has let go
            shutil.rmtree(tab.folder, ignore_errors=True)
        give_back()

    def ask(self, tab: Tab, sent: object) -> Ticket:
        """Take a request in; it begins when those before it are done.

        Raises
        ------
        InputError
            If it is not understood, asks for too much, or too much waits already.
        """
        request = read_request(sent, self.models, self.limits)
        with self._changed:
            if not tab.open:
                raise InputError("this page was closed: load it again")
            own = sum(one.status in ALIVE for one in tab.tickets.values())
            if own >= self.limits.waiting_each:
                raise InputError(f"{own} of your pieces wait already: let one finish, or stop it")
            if len(self._queue) >= self.limits.waiting:
                raise InputError("too many pieces wait already: try again in a few minutes")
            folder = tab.folder / f"made-{secrets.token_hex(6)}"
            folder.mkdir()  # here, for no page is closed meanwhile
        try:
            ticket = self._ticket(tab, request, folder)
        except InputError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        with self._changed:
            tab.tickets[ticket.id] = ticket
            self._queue.append(ticket)
            self._changed.notify_all()
            finished = [one for one in tab.tickets.values() if one.status not in ALIVE]
            for old in finished[: max(0, len(tab.tickets) - self.limits.history)]:
                del tab.tickets[old.id]
                shutil.rmtree(old.folder, ignore_errors=True)
        return ticket

    def _ticket(self, tab: Tab, request: Request, folder: Path) -> Ticket:
        """The request understood, by the command line's own reading."""
        seed = request.seed if request.seed >= 0 else secrets.randbelow(2**32)
        request = replace(request, seed=seed)
        source, name = None, ""
        if request.task != "make":
            upload = tab.uploads.get(request.recording)
            source, name = upload.path, upload.name
        key = secrets.token_urlsafe(8)
        piece = self.maker.piece(request.fields(str(source), seed), folder)
        plain = None
        if request.command == "control":
            plain = self.maker.piece(request.plain(seed).fields(), folder)
        words = self.maker.words(request.command)
        fields = self._brief(request.fields(name, seed)) | self.maker.machine
        command = command_line(fields, words, OUT)
        return Ticket(key, tab, request, piece, plain, folder, command, source, name)

    def _brief(self, fields: Fields) -> Fields:
        """Without what goes without saying."""
        usual = {"model": "ditto-small", "duration": "6", "seed": 0}
        return {name: value for name, value in fields.items() if usual.get(name) != value}

    def stop(self, ticket: Ticket) -> None:
        """End it: what runs keeps its best so far, what waits is taken out."""
        with self._changed:
            if ticket in self._queue:
                self._queue.remove(ticket)
                ticket.status = "dropped"
            ticket.stopping = True

    def state(self, tab: Tab) -> dict[str, Any]:
        """What the page shows of each of its pieces; results are fetched on their own."""
        with self._changed:
            return {
                "pieces": [
                    {
                        "id": ticket.id,
                        "status": ticket.status,
                        "ahead": self._ahead(ticket),
                        "draft": ticket.draft,
                        "plain": ticket.plain_audio.exists(),
                        "stopping": ticket.stopping,
                        "error": ticket.error,
                        "broken": ticket.outcome.broken if ticket.outcome else "",
                        "command": ticket.command,
                        **ticket.told,
                    }
                    for ticket in tab.tickets.values()
                ],
            }

    def close(self) -> None:
        """End all work and remove all files."""
        with self._changed:
            self._closed = True
            for tab in self._tabs.values():
                tab.open = False
            self._changed.notify_all()
        self._worker.join(timeout=60)
        self._home.cleanup()

    def _ahead(self, ticket: Ticket) -> int:
        """Pieces that come before one that waits, the running one with them."""
        if ticket.status != "waiting":
            return 0
        running = any(
            one.status == "running" for tab in self._tabs.values() for one in tab.tickets.values()
        )
        return self._queue.index(ticket) + running

    def _next(self) -> Ticket | None:
        """The next of the queue; of the tabs, one that has not just been served comes first."""
        with self._changed:
            while not self._queue and not self._closed:
                self._changed.wait()
            if self._closed:
                return None
            ticket = self._queue.pop(0)
            ticket.status = "running"
            ticket.told = {"stage": "getting ready"}
            others = [one for one in self._queue if one.tab is not ticket.tab]
            self._queue = others + [one for one in self._queue if one.tab is ticket.tab]
            return ticket

    def _work(self) -> None:
        while ticket := self._next():
            try:
                self._make(ticket)
            except Left:
                ticket.status = "dropped"
            except InputError as error:
                self._fail(ticket, " ".join(self._named(ticket, str(error)).split()))
            except FloatingPointError as error:
                self._fail(ticket, f"the search broke down: {error}")
            except Exception as error:
                self._fail(ticket, f"something went wrong inside: {type(error).__name__}: {error}")
            if not ticket.tab.open:  # left while it ran, however that ended
                shutil.rmtree(ticket.tab.folder, ignore_errors=True)
            give_back()

    def _fail(self, ticket: Ticket, told: str) -> None:
        with self._changed:
            ticket.status, ticket.error = "failed", told

    def _named(self, ticket: Ticket, told: str) -> str:
        """A message with the user's name for a recording in place of ours."""
        return told.replace(str(ticket.source), ticket.name) if ticket.source else told

    def _make(self, ticket: Ticket) -> None:
        self.tell(ticket, stage="listening to it left alone" if ticket.plain else "first iteration")
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", UserWarning)  # also where another piece had the same
            self._untouched(ticket)
            self.tell(ticket, stage="first iteration")
            made, run, broken = ticket.piece.make(_Listener(self, ticket))
        self._check(ticket)
        item = (made if isinstance(made, Result) else made.results[-1]).items[0]
        figures = [ticket.piece.figures(row) for row in (*item.history[:1], item.final)]
        outcome = Outcome(
            made,
            run,
            ticket.folder,
            ticket.command,
            ticket.plain_audio if ticket.plain or ticket.source else None,
            figures[0] if item.history else {},
            figures[-1],
            broken,
            list(dict.fromkeys(str(one.message) for one in warned)),
        )
        outcome.write()
        told = outcome.told()
        with self._changed:
            ticket.outcome, ticket.result, ticket.status = outcome, told, "done"

    def _untouched(self, ticket: Ticket) -> None:
        """Write what to compare with: the same seed left alone, or the recording as it was."""
        if ticket.plain:
            alone, *_ = ticket.plain.make(_deaf)
            alone.save(ticket.plain_audio)
        elif ticket.source:
            write_recording(ticket.plain_audio, read_recording(ticket.source))

    def tell(self, ticket: Ticket, **told: object) -> None:
        """Let the page know how it goes; raises `Left` where nobody is there any more."""
        self._check(ticket)
        with self._changed:
            ticket.told = cast(
                "dict[str, Any]", finite(told)
            )  # a search may break: a page knows no NaN

    def _check(self, ticket: Ticket) -> None:
        if not ticket.tab.open:
            raise Left


def _deaf(*_: object) -> None:
    """Listens to nothing."""


class _Listener:
    """Hears the searches of one ticket: tells the page, writes drafts, ends them when asked."""

    def __init__(self, desk: Desk, ticket: Ticket) -> None:
        self.desk, self.ticket = desk, ticket
        self.started = self.heard = time.monotonic()
        self.lowest: tuple[float, float] | None = None

    def __call__(self, progress: Progress, search: int, searches: int) -> bool:
        """One iteration."""
        ticket, row = self.ticket, progress.rows[0]
        if progress.iteration == 1:
            self.lowest = None
        if self._worth_hearing(progress.iteration, row):
            self._draft(progress.clip.audio[0], progress.clip.sample_rate)
        total, spent = ticket.piece.iterations, time.monotonic() - self.started
        to_come = total - progress.iteration + total * (searches - search)
        self.desk.tell(
            ticket,
            iteration=progress.iteration,
            iterations=total,
            search=search,
            searches=searches,
            loss=row["loss"],
            figures=ticket.piece.figures(row),
            seconds=spent,
            left=to_come * progress.seconds / progress.iteration,
        )
        return ticket.stopping or spent > self.desk.limits.run_seconds

    def _worth_hearing(self, iteration: int, row: Row) -> bool:
        """Whether it is the best so far and the last draft is a while ago."""
        rank = (-row["steps"], row["loss"])
        better = self.lowest is None or rank < self.lowest
        if better:
            self.lowest = rank
        if iteration < FIRST_DRAFT or not better:
            return False
        return iteration == FIRST_DRAFT or time.monotonic() - self.heard >= DRAFT_SECONDS

    def _draft(self, audio: Tensor, sample_rate: int) -> None:
        number = self.ticket.draft + 1
        write_draft(self.ticket.draft_audio(number), audio, sample_rate)
        self.ticket.draft_audio(number - 2).unlink(missing_ok=True)
        self.ticket.draft = number
        self.heard = time.monotonic()
