"""The SMTP side: takes every message into the box, unless the script says otherwise. Called by `app`."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final, cast

from aiosmtpd.smtp import SMTP, Envelope, Session

from sandbox.mailbox.box import Box
from sandbox.mailbox.faults import Faults

MESSAGE_LIMIT_BYTES: Final = 1024 * 1024
IDLE_TIMEOUT_SECONDS: Final = 300


class Post(SMTP):
    """One connection of a client."""

    def __init__(self, box: Box, faults: Faults, clock: Callable[[], datetime]) -> None:
        super().__init__(
            _Counter(box, faults, clock),
            data_size_limit=MESSAGE_LIMIT_BYTES,
            enable_SMTPUTF8=True,
            hostname="mailbox",
            ident="mailbox",
            timeout=IDLE_TIMEOUT_SECONDS,
        )
        self._faults = faults

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._faults.take(["down"]) is not None:
            _cut(transport)
            return
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self.session is not None:
            super().connection_lost(error)


class _Counter:
    """What aiosmtpd asks at each command; the names are its."""

    def __init__(self, box: Box, faults: Faults, clock: Callable[[], datetime]) -> None:
        self._box = box
        self._faults = faults
        self._clock = clock

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, rcpt_options: list[str]
    ) -> str:
        fault = self._faults.take(["refuse", "defer", "slow"], address)
        match fault.kind if fault else None:
            case "refuse":
                return f"550 5.1.1 no mailbox {address} here"
            case "defer":
                return "451 4.3.2 not now"
            case "slow":
                await asyncio.sleep((fault.milliseconds if fault else 0) / 1000)
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(rcpt_options)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        content = envelope.content or b""
        if isinstance(content, str):
            content = content.encode()
        first = envelope.rcpt_tos[0]
        fault = self._faults.take(["reject", "cut"], first)
        if fault is not None and fault.kind == "reject":
            return "554 5.7.1 not this message"
        self._box.put(envelope.mail_from or "", envelope.rcpt_tos, content, self._clock())
        if fault is not None and server.transport is not None:
            _cut(server.transport)
        return "250 OK"


def _cut(transport: asyncio.BaseTransport) -> None:
    # uvloop's transports are no subclasses of asyncio's, but do what those do.
    cast(asyncio.Transport, transport).abort()
