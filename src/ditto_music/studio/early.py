"""Our parts are in the page that Gradio sends, so that they are seen before its scripts have run.

Gradio fetches some forty files before it shows anything. Its page is passed on with our style,
script and parts in it; the script moves the parts into Gradio's HTML component once that is there.
"""

from __future__ import annotations

from dataclasses import dataclass

from ditto_music.studio.gate import App, Message, Receive, Scope, Send

BODY = "<gradio-app"


@dataclass(frozen=True)
class Early:
    """An ASGI application around Gradio's.

    Parameters
    ----------
    head : markup for the end of the head.
    body : markup for before Gradio's own.
    """

    app: App
    head: str
    body: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; the page at "/" with our parts in it."""
        if scope["type"] != "http" or scope["path"] != "/" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        plain = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        begun: Message = {}
        page = b""

        async def kept(message: Message) -> None:
            nonlocal begun, page
            if message["type"] == "http.response.start":
                begun = message
                return
            page += message.get("body", b"")
            if message.get("more_body"):
                return
            whole = self._with_parts(page.decode()).encode()
            length = (b"content-length", str(len(whole)).encode())
            headers = [pair for pair in begun["headers"] if pair[0].lower() != length[0]]
            await send({**begun, "headers": [*headers, length]})
            await send({"type": "http.response.body", "body": whole})

        await self.app({**scope, "headers": plain}, receive, kept)

    def _with_parts(self, page: str) -> str:
        before, _, after = page.partition(BODY)
        head, end, rest = before.partition("</head>")
        return f"{head}{self.head}{end}{rest}{self.body}{BODY}{after}" if after else page
