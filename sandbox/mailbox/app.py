"""Puts the mailbox together: box, faults, the SMTP server and the HTTP sides. Called by `__main__`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Final

from fastapi import FastAPI, HTTPException, Query, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sandbox.mailbox.box import KEPT_LIMIT, Box, Letter
from sandbox.mailbox.faults import Faults, Script
from sandbox.mailbox.post import Post

_PAGES: Final = Path(__file__).parent / "pages"
_templates = Environment(loader=FileSystemLoader(_PAGES), autoescape=True, undefined=StrictUndefined)
# A letter is somebody else's HTML: it may look as it likes and do nothing.
_LETTER_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)
_PAGE_POLICY: Final = "default-src 'none'; style-src 'self'; frame-src 'self'; img-src data:"
# Links of a letter open outside the frame that shows it.
_OUTSIDE: Final = '<base target="_blank">'


def create_app(directory: Path, host: str, smtp_port: int) -> FastAPI:
    """The server over the messages in `directory`; SMTP listens while the application lives."""
    box, faults = Box(directory), Faults()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        server = await asyncio.get_running_loop().create_server(
            lambda: Post(box, faults, lambda: datetime.now(UTC)), host, smtp_port
        )
        async with server:
            yield

    app = FastAPI(title="Mailbox", lifespan=lifespan, docs_url=None, redoc_url=None)
    _add_pages(app, box)
    _add_control(app, box, faults)
    return app


def _add_pages(app: FastAPI, box: Box) -> None:
    @app.get("/")
    async def home() -> HTMLResponse:
        return _page("home.html", letters=list(box.newest_first()))

    @app.get("/messages/{letter_id}")
    async def one(letter_id: str) -> HTMLResponse:
        return _page("letter.html", letter=_get(box, letter_id))

    @app.get("/messages/{letter_id}/html")
    async def html(letter_id: str) -> HTMLResponse:
        content = _get(box, letter_id).html or ""
        return HTMLResponse(
            content.replace("<head>", f"<head>{_OUTSIDE}", 1),
            headers={"Content-Security-Policy": _LETTER_POLICY},
        )

    @app.get("/mailbox.css")
    async def css() -> Response:
        return Response((_PAGES / "mailbox.css").read_bytes(), media_type="text/css")


def _add_control(app: FastAPI, box: Box, faults: Faults) -> None:
    @app.get("/_mailbox/messages")
    async def messages(
        to: str | None = None, limit: Annotated[int, Query(ge=1, le=KEPT_LIMIT)] = KEPT_LIMIT
    ) -> list[dict[str, object]]:
        wanted = (letter for letter in box.newest_first() if to is None or to in letter.recipients)
        return [_shown(letter) for letter in islice(wanted, limit)]

    @app.delete("/_mailbox/messages", status_code=204)
    async def forget() -> None:
        box.clear()

    @app.post("/_mailbox/faults")
    async def set_faults(script: Script) -> Script:
        faults.script = script
        return script

    @app.get("/_mailbox/faults")
    async def get_faults() -> Script:
        return faults.script

    @app.get("/healthz")
    async def health() -> dict[str, str]:
        return {"status": "alive"}


def _get(box: Box, letter_id: str) -> Letter:
    letter = box.find(letter_id)
    if letter is None:
        raise HTTPException(404)
    return letter


def _page(template: str, **facts: object) -> HTMLResponse:
    text = _templates.get_template(template).render(**facts)
    return HTMLResponse(text, headers={"Content-Security-Policy": _PAGE_POLICY})


def _shown(letter: Letter) -> dict[str, object]:
    return {
        "id": letter.id,
        "to": ", ".join(letter.recipients),
        "from": letter.sender,
        "subject": letter.subject,
        "text": letter.text,
        "html": letter.html,
        "received_at": letter.received_at.isoformat(),
        "message_id": str(letter.message["Message-ID"] or ""),
        "headers": letter.headers(),
    }
