"""The messages: in memory for who looks, on disk so that a restart forgets nothing. Bounded.

Called by the SMTP side, which puts in, and the HTTP side, which looks.
"""

import email
import os
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Final

KEPT_LIMIT: Final = 1_000
_FROM: Final = "X-Mailbox-From"
_TO: Final = "X-Mailbox-To"


@dataclass(frozen=True, slots=True)
class Letter:
    """One message as it was received; `sender` and `recipients` are the envelope's."""

    id: str
    sender: str
    recipients: tuple[str, ...]
    received_at: datetime
    message: EmailMessage

    @property
    def subject(self) -> str:
        return str(self.message["Subject"] or "")

    @property
    def text(self) -> str | None:
        return self._part("plain")

    @property
    def html(self) -> str | None:
        return self._part("html")

    def _part(self, subtype: str) -> str | None:
        part = self.message.get_body((subtype,))
        return str(part.get_content()) if part is not None else None

    def headers(self) -> list[tuple[str, str]]:
        return [(name, str(value)) for name, value in self.message.items() if name not in (_FROM, _TO)]


class Box:
    """Used in one event loop."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._letters: deque[Letter] = deque()
        self._count = 0
        for path in sorted(directory.glob("*.eml")):
            self._take(_read(path))

    def put(self, sender: str, recipients: Sequence[str], content: bytes, now: datetime) -> None:
        """On disk when this returns."""
        self._count += 1
        name = f"{int(now.timestamp() * 1_000_000):020d}-{self._count:06d}"
        envelope = f"{_FROM}: {sender}\r\n{_TO}: {', '.join(recipients)}\r\n".encode()
        path = self._directory / f"{name}.eml"
        with path.open("wb") as file:
            file.write(envelope + content)
            file.flush()
            os.fsync(file.fileno())
        self._take(_read(path))

    def newest_first(self) -> Iterable[Letter]:
        return reversed(self._letters)

    def find(self, letter_id: str) -> Letter | None:
        return next((letter for letter in self._letters if letter.id == letter_id), None)

    def clear(self) -> None:
        while self._letters:
            self._drop_oldest()

    def _take(self, letter: Letter) -> None:
        self._letters.append(letter)
        while len(self._letters) > KEPT_LIMIT:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        oldest = self._letters.popleft()
        (self._directory / f"{oldest.id}.eml").unlink(missing_ok=True)


def _read(path: Path) -> Letter:
    message = email.message_from_bytes(path.read_bytes(), policy=default)
    assert isinstance(message, EmailMessage)
    return Letter(
        id=path.stem,
        sender=str(message[_FROM] or ""),
        recipients=tuple(filter(None, str(message[_TO] or "").split(", "))),
        received_at=datetime.fromtimestamp(int(path.stem.partition("-")[0]) / 1_000_000, UTC),
        message=message,
    )
