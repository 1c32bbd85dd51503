"""The studio on the web: Gradio's page with our own parts in its HTML component.

Gradio brings the frame, the queue and the interface that its clients speak. The parts are our own,
for neither a curve to draw nor a piano roll nor regions of a waveform are among Gradio's; they
speak to the routes below, which only carry what `Desk` does.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Thread
from typing import Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # both are read when gradio is imported
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

import gradio
import uvicorn
from fastapi import FastAPI
from gradio.data_classes import FileData
from gradio.events import api
from gradio.processing_utils import save_file_to_cache
from gradio.themes import Base
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response

from ditto_music.errors import InputError
from ditto_music.studio.desk import ALIVE, Desk, Tab, Ticket
from ditto_music.studio.early import Early
from ditto_music.studio.gate import Gate, is_loopback
from ditto_music.studio.limits import Limits
from ditto_music.studio.maker import Maker
from ditto_music.studio.uploads import MIDI, SUFFIXES, Upload, waveform

PAGE = Path(__file__).with_name("page")
TYPES = {".css": "text/css", ".js": "text/javascript"}
LOOK_SECONDS = 0.1  # between two looks at whether a piece is done
START_SECONDS = 30.0


@dataclass
class Studio:
    """A running studio.

    Attributes
    ----------
    url : where it is.
    """

    url: str
    desk: Desk
    server: uvicorn.Server
    thread: Thread
    cache: Path

    def close(self) -> None:
        """End all work and stop listening."""
        self.desk.close()
        self.server.should_exit = True
        self.thread.join(timeout=10)
        shutil.rmtree(self.cache, ignore_errors=True)


def open_studio(
    maker: Maker,
    models: list[str],
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    password: str | None = None,
    limits: Limits | None = None,
) -> Studio:
    """Begin to listen; returns once pages can be opened.

    Parameters
    ----------
    models : names that pages may choose from, the usual one first.
    host : anything but this machine's own addresses needs a password.
    port : 0 takes a free one.

    Raises
    ------
    InputError
        If a password is missing, or there is no such host or the port is taken.
    RuntimeError
        If the server does not start.
    """
    if not is_loopback(host) and not password:
        raise InputError(
            f"host {host}: others could reach the studio: give --password, or leave --host out"
        )
    listening = _listen(host, port)
    desk = Desk(maker, models, limits)
    cache = Path(tempfile.mkdtemp(prefix="ditto-music-gradio-"))
    app = FastAPI(title="ditto studio", docs_url=None, redoc_url=None, openapi_url=None)
    Routes(desk).add_to(app)
    app = gradio.mount_gradio_app(
        app,
        _page(desk, cache),
        path="/",
        footer_links=[],
        run_history=False,
        show_error=False,
        max_file_size=1,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=Base(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
    )
    head, body = (
        (PAGE / name).read_text(encoding="utf-8") for name in ("head.html", "studio.html")
    )
    guarded = Gate(Early(app, head, body), password, is_loopback(host))
    config = uvicorn.Config(guarded, log_level="warning", timeout_graceful_shutdown=2, ws="none")
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, args=([listening],), name="studio-server", daemon=True)
    thread.start()
    until = time.monotonic() + START_SECONDS
    while not server.started and thread.is_alive() and time.monotonic() < until:
        time.sleep(0.02)
    shown = "localhost" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{listening.getsockname()[1]}/"
    studio = Studio(url, desk, server, thread, cache)
    if not server.started:
        studio.close()
        listening.close()
        raise RuntimeError("the studio's server did not start")
    return studio


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens, so that no other can at the same place."""
    try:
        ((family, *_, address), *_) = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        bound = socket.socket(family, socket.SOCK_STREAM)
        if os.name == "posix":  # elsewhere it lets two share a port
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen()
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise InputError(
            f"{host}:{port} cannot be listened at ({why}): try another --port"
        ) from None
    return bound


def _page(desk: Desk, cache: Path) -> gradio.Blocks:
    """Gradio's frame: our parts in one HTML component, and `/make` for its clients."""

    def make(settings: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Make one piece.

        Parameters
        ----------
        settings : as the studio saves them: {"prompt": "calm piano", "intensity": [[0, -35],
            [6, -14]]} and so on.

        Returns
        -------
        What there is to know of it, and the audio file.
        """
        try:
            tab = desk.open()
            try:
                ticket = desk.ask(tab, settings)
                while ticket.status in ALIVE:
                    time.sleep(LOOK_SECONDS)
                if ticket.outcome is None:
                    raise gradio.Error(ticket.error or "stopped")
                told = {**(ticket.result or {}), "report": ticket.outcome.report()}
                kept = save_file_to_cache(ticket.outcome.audio, str(cache))
                audio = FileData(path=kept, orig_name="music.wav", mime_type="audio/wav")
                return told, audio.model_dump()
            finally:
                desk.leave(tab)
        except InputError as error:
            raise gradio.Error(str(error)) from None

    with gradio.Blocks(title="ditto studio", analytics_enabled=False, fill_width=True) as blocks:
        gradio.HTML('<div id="studio-place"></div>', apply_default_css=False, js_on_load=None)
        api(make, api_name="make", concurrency_limit=desk.limits.waiting)
    blocks.queue(max_size=desk.limits.waiting)
    return blocks


class Routes:
    """What the page's own parts call."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.due: dict[str, asyncio.TimerHandle] = {}  # what happens to a silent tab, by its id

    def add_to(self, app: FastAPI) -> None:
        """Put them in an application."""
        tab = "/studio/tabs/{tab}"
        app.add_route("/studio/page/{name}", self.part, methods=["GET"])
        app.add_route("/studio/tabs", self.open, methods=["POST"])
        app.add_route(tab, self.news, methods=["GET"])
        app.add_route(f"{tab}/leave", self.leave, methods=["POST"])
        app.add_route(f"{tab}/uploads", self.upload, methods=["POST"])
        app.add_route(f"{tab}/uploads/{{upload}}", self.uploaded, methods=["GET"])
        app.add_route(f"{tab}/uploads/{{upload}}/audio", self.sound, methods=["GET"])
        app.add_route(f"{tab}/tunes", self.tune, methods=["POST"])
        app.add_route(f"{tab}/pieces", self.ask, methods=["POST"])
        app.add_route(f"{tab}/pieces/{{piece}}", self.result, methods=["GET"])
        app.add_route(f"{tab}/pieces/{{piece}}/stop", self.stop, methods=["POST"])
        app.add_route(f"{tab}/pieces/{{piece}}/edit", self.edit, methods=["POST"])
        app.add_route(f"{tab}/pieces/{{piece}}/{{kind}}", self.file, methods=["GET"])

    async def part(self, request: Request) -> Response:
        """A script or style of the page."""
        parts = {path.name: path for path in PAGE.iterdir() if path.suffix in TYPES}
        path = parts.get(request.path_params["name"])
        if path is None:
            return _told("there is no such part", 404)
        return FileResponse(
            path, media_type=TYPES[path.suffix], headers={"cache-control": "no-cache"}
        )

    async def open(self, request: Request) -> Response:
        """A page has opened: the tab it had `again`, or a new one, and what may be asked."""
        try:
            tab = self.desk.tab(request.query_params.get("again", "")) or self.desk.open()
        except InputError as error:
            return _told(str(error), 503)
        self._heard(tab)
        limits = asdict(self.desk.limits)
        told = {"tab": tab.id, "models": self.desk.longest(), "limits": limits}
        return JSONResponse(told | self.desk.state(tab))

    async def news(self, request: Request) -> Response:
        """How the tab's pieces go; asked again and again, which says that somebody is there."""
        tab = self._tab(request)
        if tab is None:
            return _told("this page was closed", 404)
        self._heard(tab)
        return JSONResponse(self.desk.state(tab), headers={"cache-control": "no-store"})

    async def leave(self, request: Request) -> Response:
        """A page is closed, or loaded again: then it will soon be heard of."""
        tab = self._tab(request)
        if tab:
            self._unless_heard(tab, self.desk.limits.grace, self._left)
        return JSONResponse({})

    def _heard(self, tab: Tab) -> None:
        tab.left = False
        self._unless_heard(tab, self.desk.limits.keep, self.desk.leave)

    def _left(self, tab: Tab) -> None:
        self.desk.rest(tab)
        if tab.empty:
            self.desk.leave(tab)
        else:
            self._unless_heard(tab, self.desk.limits.keep, self.desk.leave)

    def _unless_heard(self, tab: Tab, seconds: float, then: Callable[[Tab], None]) -> None:
        """Do something about a tab in a while, in place of what was to be done."""

        def due() -> None:
            self.due.pop(tab.id, None)
            then(tab)

        if before := self.due.pop(tab.id, None):
            before.cancel()
        self.due[tab.id] = asyncio.get_running_loop().call_later(seconds, due)

    async def upload(self, request: Request) -> Response:
        """Take in a recording."""
        return await self._taken(request, SUFFIXES, _recording)

    async def uploaded(self, request: Request) -> Response:
        """What there is to know of a recording that is here."""
        tab, upload = self._tab(request), self._upload(request)
        if tab is None or upload is None:
            return _told("the recording is not here any more: drop it on the page again", 404)
        return JSONResponse(await run_in_threadpool(_recording, tab, upload))

    async def sound(self, request: Request) -> Response:
        """The file of a recording that is here."""
        upload = self._upload(request)
        return FileResponse(upload.path) if upload else _told("there is no such file", 404)

    async def tune(self, request: Request) -> Response:
        """The notes of a MIDI file or of a voice."""

        def read(tab: Tab, upload: Upload) -> dict[str, Any]:
            return {"notes": [list(note) for note in tab.uploads.notes(upload)]}

        return await self._taken(request, (*MIDI, *SUFFIXES), read)

    async def _taken(
        self,
        request: Request,
        suffixes: tuple[str, ...],
        read: Callable[[Tab, Upload], dict[str, Any]],
    ) -> Response:
        tab, most = self._tab(request), self.desk.limits.upload_bytes
        if tab is None:
            return _told("this page was closed: load it again", 404)
        upload = None
        try:
            upload = tab.uploads.place(request.query_params.get("name", ""), suffixes)
            size = 0
            with upload.path.open("wb") as file:
                async for block in request.stream():
                    size += len(block)
                    if size > most:
                        raise InputError(
                            f"{upload.name}: has more than {most / 1e6:g} MB: cut or compress it"
                        )
                    file.write(block)
            return JSONResponse(await run_in_threadpool(read, tab, upload))
        except InputError as error:
            told = str(error)
        except ClientDisconnect:
            told = "the file did not arrive"
        except OSError as error:
            told = f"the file cannot be kept here ({(error.strerror or 'no reason given').lower()})"
        if upload:
            upload.path.unlink(missing_ok=True)
        return _told(told)

    async def ask(self, request: Request) -> Response:
        """Take in a request."""
        tab = self._tab(request)
        if tab is None:
            return _told("this page was closed: load it again", 404)
        try:
            sent = await self._json(request)
            ticket = await run_in_threadpool(self.desk.ask, tab, sent)
        except InputError as error:
            return _told(str(error))
        return JSONResponse({"id": ticket.id, "command": ticket.command})

    async def _json(self, request: Request) -> object:
        body = b""
        async for block in request.stream():
            body += block
            if len(body) > self.desk.limits.body_bytes:
                raise InputError("the settings are too long")
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise InputError("the settings are damaged") from None

    async def stop(self, request: Request) -> Response:
        """End a piece."""
        ticket = self._ticket(request)
        if ticket:
            self.desk.stop(ticket)
        return JSONResponse({})

    async def edit(self, request: Request) -> Response:
        """Take in a finished piece as a recording."""
        tab, ticket = self._tab(request), self._ticket(request)
        if tab is None or ticket is None or ticket.outcome is None:
            return _told("there is no such piece", 404)
        made = ticket.outcome.audio
        upload = tab.uploads.place(ticket.title + made.suffix)
        try:
            await run_in_threadpool(shutil.copyfile, made, upload.path)
            return JSONResponse(await run_in_threadpool(_recording, tab, upload))
        except InputError as error:
            return _told(str(error))

    async def result(self, request: Request) -> Response:
        """All there is to show of a finished piece."""
        ticket = self._ticket(request)
        if ticket is None or ticket.result is None:
            return _told("there is no such piece", 404)
        return JSONResponse(ticket.result)

    async def file(self, request: Request) -> Response:
        """A sound, a picture, a report or a run."""
        ticket, kind = self._ticket(request), str(request.path_params["kind"])
        path = await run_in_threadpool(_path, ticket, kind) if ticket else None
        if ticket is None or path is None or not path.exists():
            return _told("there is no such file", 404)
        name = None
        if "download" in request.query_params:
            name = ticket.title + (path.suffix if kind == "audio" else f"-{path.name}")
        headers = {"cache-control": "private, max-age=3600"}
        return FileResponse(path, filename=name, headers=headers)

    def _tab(self, request: Request) -> Tab | None:
        return self.desk.tab(str(request.path_params["tab"]))

    def _upload(self, request: Request) -> Upload | None:
        tab = self._tab(request)
        with suppress(InputError):
            return tab.uploads.get(str(request.path_params["upload"])) if tab else None
        return None

    def _ticket(self, request: Request) -> Ticket | None:
        tab = self._tab(request)
        return tab.tickets.get(str(request.path_params["piece"])) if tab else None


def _recording(tab: Tab, upload: Upload) -> dict[str, Any]:
    """What a page is told of a recording."""
    recording = tab.uploads.recording(upload)
    return {
        "id": upload.id,
        "name": upload.name,
        "seconds": recording.seconds,
        "channels": recording.channels,
        "sample_rate": recording.sample_rate,
        "waveform": waveform(recording.audio()),
    }


def _path(ticket: Ticket, kind: str) -> Path | None:
    """The file of a piece by its kind; a number is a draft's."""
    if kind.startswith("draft-") and kind[6:].isdecimal():
        return ticket.draft_audio(int(kind[6:]))
    if kind == "plain":
        return ticket.plain_audio
    if ticket.outcome is None:
        return None
    with suppress(KeyError):
        return ticket.outcome.file(kind)
    return None


def _told(error: str, status: int = 400) -> JSONResponse:
    return JSONResponse({"error": error}, status)
