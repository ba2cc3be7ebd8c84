"""Letters over SMTP: composed with a Message-ID of the message's own, sent over one connection per page.

Called by `notifications.sending`. Every wait for the server is bounded, and the whole connection too. What a
server says is never kept: it quotes addresses.
"""

import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from email.errors import MessageError
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime
from threading import Timer
from typing import Final
from uuid import UUID

from kit.errors import BillbusError, Transient
from notifications.formats import one_line
from notifications.rendering import Letter
from runtime.settings import MailSettings

ANSWER_TIMEOUT_SECONDS: Final = 10.0
# However slowly a server drips: a connection ends before the claims of its page do.
CONNECTION_LIMIT_SECONDS: Final = 80.0
NAME_LENGTH_LIMIT: Final = 60
SUBJECT_LENGTH_LIMIT: Final = 200
ADDRESS_LENGTH_LIMIT: Final = 254
_PERMANENT: Final = 500
_ENCODED_WORD: Final = "=?"


class _WholeWords(EmailPolicy):
    """Writes subjects and names by `email.header`. The policy's own way may lose the space between two parts
    that it encodes (cpython 92081)."""

    def fold_binary(self, name: str, value: str) -> bytes:
        if str(value).isascii():
            return super().fold_binary(name, value)
        addresses: tuple[Address, ...] = getattr(value, "addresses", ())
        written = ", ".join(
            f"{self._encoded(name, one.display_name)} <{one.addr_spec}>" for one in addresses
        ) or self._encoded(name, str(value))
        return f"{name}: {written}{self.linesep}".encode("ascii")

    def _encoded(self, name: str, words: str) -> str:
        return Header(words, "utf-8", header_name=name).encode(linesep=self.linesep)


_POLICY: Final = _WholeWords(linesep=SMTP.linesep)


class RecipientRefused(BillbusError):
    """The server will never take a message for this recipient; `code` says why."""

    code = "recipient_refused"


class MessageDeferred(Transient):
    """The server did not take this message now. The connection is as good as before."""

    code = "message_deferred"


class MailAway(Transient):
    """There is no server, or it is not one any more. Whether it took the last message is not known."""

    code = "mail_away"


def compose(
    letter: Letter,
    notification_id: UUID,
    sender: Address,
    name: str,
    email: str,
    now: datetime,
    answers_to: Address | None = None,
) -> EmailMessage:
    """The message as it travels. The same notification gives the same Message-ID, however often it is sent.
    Answers go to `answers_to` where they are asked for.

    Raises RecipientRefused: an address that cannot be written in a header.
    """
    message = EmailMessage(_POLICY)
    message["From"] = sender
    message["To"] = _recipient(name, email)
    if answers_to is not None:
        message["Reply-To"] = answers_to
    message["Subject"] = _header_text(letter.subject)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{notification_id}@{sender.domain}>"
    message["Auto-Submitted"] = "auto-generated"
    # Base64: lines of any length and letters of any alphabet pass every server.
    message.set_content(letter.text, cte="base64")
    message.add_alternative(letter.html, subtype="html", cte="base64")
    message.set_boundary(f"billbus-{notification_id.hex}")
    return message


def sender_address(address: str, studio_name: str, setting: str = "MAIL_FROM") -> Address:
    """`"Studio" <billing@…>`: the studio by its name, the installation by its address.

    Raises SystemExit: the `setting` that it is of is no address.
    """
    try:
        return Address(_header_text(studio_name, NAME_LENGTH_LIMIT), addr_spec=address)
    except (ValueError, IndexError, MessageError):
        raise SystemExit(f"billbus: {setting} is not an e-mail address") from None


def _recipient(name: str, email: str) -> Address:
    try:
        if len(email) > ADDRESS_LENGTH_LIMIT or _ENCODED_WORD in email:
            raise ValueError
        address = Address(_header_text(name, NAME_LENGTH_LIMIT), addr_spec=email)
    except (ValueError, IndexError, MessageError):
        raise RecipientRefused("address_malformed") from None
    if not address.domain:
        raise RecipientRefused("address_malformed")
    return address


def _header_text(text: str, limit: int = SUBJECT_LENGTH_LIMIT) -> str:
    """Safe in a header: the standard library decodes what looks encoded, and writes line ends out of it."""
    return one_line(text.replace(_ENCODED_WORD, "= ?"), limit)


class _Server(smtplib.SMTP):
    """Cut CONNECTION_LIMIT_SECONDS after it began to connect: a server may drip its greeting and its farewell
    too, and each of the waits would be a short one."""

    _limit: Timer | None = None

    # smtplib's own constructor calls it, without the source address that we have none of.
    def connect(self, host: str = "localhost", port: int = 0) -> tuple[int, bytes]:  # type: ignore[override]
        self._limit = Timer(CONNECTION_LIMIT_SECONDS, self._cut)
        self._limit.daemon = True
        self._limit.start()
        try:
            return super().connect(host, port)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
        super().close()

    def _cut(self) -> None:
        """Whoever reads or writes there gets an error at once; closing alone would not wake them."""
        with suppress(OSError):
            if self.sock is not None:
                self.sock.shutdown(socket.SHUT_RDWR)


class _TlsServer(_Server, smtplib.SMTP_SSL):
    """With TLS from its first byte."""


class MailConnection:
    """One connection, for one thread."""

    def __init__(self, server: smtplib.SMTP) -> None:
        self._server = server

    def send(self, message: EmailMessage) -> None:
        """Returns when the server has taken it. Raises RecipientRefused, MessageDeferred, MailAway."""
        try:
            self._server.send_message(message)
        except smtplib.SMTPRecipientsRefused as refused:
            raise _of_recipient(next(iter(refused.recipients.values()))[0]) from None
        except smtplib.SMTPNotSupportedError:
            raise RecipientRefused("address_not_ascii") from None
        except smtplib.SMTPResponseException as error:
            raise MessageDeferred(f"smtp_{error.smtp_code}") from None
        except OSError as error:
            # smtplib's own exceptions are OSErrors, as timeouts and resets are.
            raise MailAway(cause=type(error).__name__) from None


def _of_recipient(smtp_code: int) -> BillbusError:
    name = f"smtp_{smtp_code}"
    return RecipientRefused(name) if smtp_code >= _PERMANENT else MessageDeferred(name)


@contextmanager
def open_connection(settings: MailSettings) -> Iterator[MailConnection]:
    """Connects, secures and signs in as `settings` say. Raises MailAway."""
    try:
        server = _connect(settings)
    except OSError as error:
        raise MailAway(cause=type(error).__name__) from None
    try:
        yield MailConnection(server)
    finally:
        _close(server)


def _connect(settings: MailSettings) -> _Server:
    host, port = settings.smtp_host or "", settings.smtp_port
    # We greet as the domain that we write from; else smtplib would ask who this machine is.
    domain = settings.mail_from.rpartition("@")[2]
    if settings.smtp_security == "tls":
        context = ssl.create_default_context()
        server: _Server = _TlsServer(host, port, domain, timeout=ANSWER_TIMEOUT_SECONDS, context=context)
    else:
        server = _Server(host, port, domain, timeout=ANSWER_TIMEOUT_SECONDS)
    try:
        if settings.smtp_security == "starttls":
            server.starttls(context=ssl.create_default_context())
        if settings.smtp_user is not None and settings.smtp_password is not None:
            server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
    except OSError:
        server.close()
        raise
    return server


def _close(server: smtplib.SMTP) -> None:
    try:
        server.quit()
    except OSError:
        server.close()
