"""Which studio a request is for: the one whose host it came to."""

import re
from time import monotonic
from typing import Final
from uuid import UUID

import idna
from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Engine, text

HOST_CACHE_SECONDS: Final = 5.0
HOST_CACHE_LIMIT: Final = 1_000
HOST_LENGTH_LIMIT: Final = 253
# All of it is looked at: the whole header goes into addresses that we make, and `studio:80@elsewhere` has a
# studio's name only up to its colon.
_HOST = re.compile(r"([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{0,5})?")


class HostDirectory:
    """Which studio answers at a host. Known hosts are remembered for HOST_CACHE_SECONDS."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[str, tuple[float, UUID]] = {}

    def find_studio(self, host: str) -> UUID | None:
        """`host` without its port."""
        return self._recall(host) or self._ask(host)

    async def await_studio(self, host: str) -> UUID | None:
        """`find_studio` on the event loop: a thread is taken only for a host that is not remembered."""
        return self._recall(host) or await run_in_threadpool(self._ask, host)

    def _recall(self, host: str) -> UUID | None:
        remembered = self._known.get(host)
        return remembered[1] if remembered and monotonic() - remembered[0] < HOST_CACHE_SECONDS else None

    def _ask(self, host: str) -> UUID | None:
        if not host:
            return None
        with self._engine.begin() as connection:
            studio_id: UUID | None = connection.scalar(text("SELECT studio_of_host(:host)"), {"host": host})
        if studio_id is not None:
            if len(self._known) >= HOST_CACHE_LIMIT:
                self._known.clear()
            self._known[host] = (monotonic(), studio_id)
        return studio_id


def host_name(written: str) -> str:
    """A studio's host as browsers send it: in lower case, and in its `xn--` form if it is not of ASCII.

    Raises ValueError with a sentence: no browser would come by this name.
    """
    try:
        name = idna.encode(written, uts46=True).decode()
    except idna.IDNAError:
        name = ""
    if not _HOST.fullmatch(name) or len(name) > HOST_LENGTH_LIMIT or name.endswith("."):
        raise ValueError("this is no host name: it is written like studio.example.org, without a port")
    return name


def host_of(request: Request) -> str:
    """The Host header without its port, lower case; empty when it is no host."""
    found = _HOST.fullmatch(request.headers.get("host", "").lower())
    return found[1] if found and len(found[1]) <= HOST_LENGTH_LIMIT else ""
