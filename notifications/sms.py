"""The port of short messages, and the adapter that only tells the log that one would have gone.

Called by `notifications.sending` for messages of the channel `sms`. Customers have no telephone numbers yet:
an adapter that sends finds the number by the customer.
"""

from typing import Final, Protocol
from uuid import UUID

import structlog

# Letters of one message: alone, and as a part of a longer one. Source: 3GPP TS 23.038 and 23.040.
_GSM: Final = (160, 153)
_UNICODE: Final = (70, 67)
_GSM_LETTERS: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)

log = structlog.get_logger(__name__)


class SmsSender(Protocol):
    def send(self, notification_id: UUID, customer_id: UUID, text: str) -> None:
        """Hands one message over. Idempotent by `notification_id`. Raises Transient."""


class ConsoleSms:
    """Writes how long the message is; never what it says or to whom it goes."""

    def send(self, notification_id: UUID, customer_id: UUID, text: str) -> None:
        log.info("a short message would go", notification=str(notification_id), segments=count_segments(text))


def count_segments(text: str) -> int:
    """How many messages a provider would count."""
    is_plain = _GSM_LETTERS.issuperset(text)
    alone, part = _GSM if is_plain else _UNICODE
    length = len(text) if is_plain else len(text.encode("utf-16-be")) // 2
    return 1 if length <= alone else -(-length // part)
