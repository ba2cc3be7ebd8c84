"""Sends what is due: claims a page, looks at each message again, renders, sends, marks.

Called by the worker's task. Nothing is open in Postgres while a server is talked to. Ended between sending
and marking, a message is sent again when its claim is over, under the same Message-ID.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.headerregistry import Address
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import Engine

from kit.clock import Clock
from kit.errors import Transient
from notifications.email import (
    MailAway,
    MailConnection,
    RecipientRefused,
    compose,
    open_connection,
    sender_address,
)
from notifications.kinds import KINDS, Kind, Verdict, decide
from notifications.looking import find_situation
from notifications.money import Money
from notifications.occasions import Occasion, occasion_of
from notifications.rendering import Letter, Links, render
from notifications.situations import Situation
from notifications.sms import SmsSender
from runtime.crash_points import crash_point
from runtime.logging import bind
from runtime.metrics import NOTIFICATIONS
from runtime.settings import MailSettings
from storage.notifications import (
    PAGE_LIMIT,
    Channel,
    Claimed,
    claim_due,
    fail,
    mark_sent,
    put_off,
    supersede,
)

PAGES_LIMIT: Final = 20
# Longer than a page may take: its last message is begun before the deadline, and may be the first that needs
# a connection, which is cut in time.
CLAIM_SECONDS: Final = 180.0
PAGE_SECONDS: Final = 60.0
# After the n-th try; the last is repeated until the message's life is over.
DELAYS: Final = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1))
# Older news is no news.
MAIL_LIFE: Final = timedelta(hours=72)
LOOK_AGAIN_AFTER: Final = timedelta(minutes=5)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Office:
    """What sending needs. Channels without settings send nothing: their messages wait, or get too old."""

    engine: Engine
    clock: Clock
    settings: MailSettings
    sms: SmsSender | None = field(repr=False)

    @property
    def channels(self) -> Sequence[Channel]:
        email: list[Channel] = ["email"] if self.settings.smtp_host else []
        return [*email, "sms"] if self.sms else email

    @property
    def links(self) -> Links:
        key = self.settings.link_key
        return Links(key.get_secret_value() if key else "", self.settings.link_base_url)

    def answers_to(self, situation: Situation) -> Address:
        """Where the studio reads what customers answer."""
        address = self.settings.mail_reply_to or self.settings.mail_from
        return sender_address(address.replace("{host}", situation.studio.host), situation.studio.name)


def require_link_key(settings: MailSettings) -> None:
    """Letters have links, and unsigned ones there are none. Raises SystemExit with a sentence."""
    if settings.smtp_host and settings.link_key is None:
        raise SystemExit("billbus: LINK_KEY must be set where SMTP_HOST is")
    sender_address(settings.mail_from, "")
    if settings.mail_reply_to is not None:
        sender_address(settings.mail_reply_to.replace("{host}", "host.example"), "", "MAIL_REPLY_TO")


def send_due(office: Office) -> int:
    """Sends, finishes or puts off what is due, at most PAGES_LIMIT pages; how many messages it had in hand.

    Ends early when the server is away or slow: what is left is as well sent by the next look.
    """
    count = 0
    for _ in range(PAGES_LIMIT):
        messages = _claim(office)
        with ExitStack() as stack:
            page = _Page(office, stack)
            page.send(messages)
        count += len(messages)
        if len(messages) < PAGE_LIMIT or page.was_cut:
            break
    return count


def _claim(office: Office) -> list[Claimed]:
    now = office.clock()
    with office.engine.begin() as connection:
        page = claim_due(
            connection,
            now,
            channels=office.channels,
            too_old=now - MAIL_LIFE,
            claim_seconds=CLAIM_SECONDS,
        )
    crash_point("after_notification_claim")
    return page


class _Page:
    """One page and its connection, which is opened for the first message that needs it."""

    def __init__(self, office: Office, stack: ExitStack) -> None:
        self._office = office
        self._stack = stack
        self._deadline = office.clock() + timedelta(seconds=PAGE_SECONDS)
        self._connection: MailConnection | None = None
        self._away: MailAway | None = None

    @property
    def was_cut(self) -> bool:
        return self._away is not None or self._office.clock() > self._deadline

    def send(self, messages: Sequence[Claimed]) -> None:
        for claimed in messages:
            with bind(correlation_id=claimed.correlation_id, studio_id=claimed.studio_id):
                result = self._deal(claimed)
                NOTIFICATIONS.labels(claimed.kind, result).inc()
                log.info("message", notification=str(claimed.id), kind=claimed.kind, result=result)

    def _deal(self, claimed: Claimed) -> str:
        now = self._office.clock()
        if now - claimed.wanted_at > MAIL_LIFE:
            return self._give_up(claimed, now)
        if now > self._deadline:
            return self._put_off(claimed, now, None, was_tried=False)
        try:
            return self._try(claimed, now)
        except RecipientRefused as refused:
            return self._fail(claimed, refused.code)
        except Transient as error:
            return self._put_off(claimed, now + _delay(claimed), error.code, was_tried=True)
        except Exception as error:
            # A message that breaks us must hold up no other one.
            log.exception("message broke", notification=str(claimed.id))
            return self._put_off(
                claimed, now + _delay(claimed), f"broken_{type(error).__name__}", was_tried=True
            )

    def _try(self, claimed: Claimed, now: datetime) -> str:
        kind = KINDS[claimed.kind]
        occasion = occasion_of(claimed.occasion, claimed.facts)
        with self._office.engine.begin() as connection:
            situation = find_situation(connection, kind.about, claimed, occasion.period_end, now)
        if situation is None:
            return self._supersede(claimed, "subject_is_gone")
        decision = decide(kind, situation, occasion)
        if decision.verdict is Verdict.SUPERSEDED:
            return self._supersede(claimed, decision.reason)
        if decision.verdict is Verdict.WAIT:
            return self._put_off(claimed, now + LOOK_AGAIN_AFTER, None, was_tried=False)
        self._hand_over(claimed, kind, situation, occasion, now)
        crash_point("after_notification_send")
        with self._office.engine.begin() as connection:
            mark_sent(connection, claimed.id, self._office.clock())
        return "sent"

    def _hand_over(
        self, claimed: Claimed, kind: Kind, situation: Situation, occasion: Occasion, now: datetime
    ) -> None:
        letter = render(kind.name, situation, occasion, _price_of(claimed), self._office.links, now)
        if claimed.channel == "sms" and self._office.sms is not None:
            text = f"{situation.studio.name}: {letter.subject}"
            self._office.sms.send(claimed.id, claimed.customer_id, text)
        else:
            answers_to = self._office.answers_to(situation) if kind.wants_answer else None
            self._mail(claimed.id, letter, situation, answers_to, now)

    def _mail(
        self,
        notification_id: UUID,
        letter: Letter,
        situation: Situation,
        answers_to: Address | None,
        now: datetime,
    ) -> None:
        if self._away is not None:
            raise self._away
        sender = sender_address(self._office.settings.mail_from, situation.studio.name)
        customer = situation.customer
        message = compose(letter, notification_id, sender, customer.name, customer.email, now, answers_to)
        try:
            if self._connection is None:
                self._connection = self._stack.enter_context(open_connection(self._office.settings))
            self._connection.send(message)
        except MailAway as away:
            self._away = away
            log.warning("the mail server is away", **away.facts)
            raise

    def _give_up(self, claimed: Claimed, now: datetime) -> str:
        """Too late. What was tried in vain is a failure that ops hear of; what never had a way out is not."""
        return self._fail(claimed, "too_late") if claimed.tries else self._supersede(claimed, "too_old")

    def _fail(self, claimed: Claimed, code: str) -> str:
        with self._office.engine.begin() as connection:
            fail(connection, claimed, code, self._office.clock(), was_tried=code != "too_late")
        return "failed"

    def _supersede(self, claimed: Claimed, reason: str) -> str:
        with self._office.engine.begin() as connection:
            supersede(connection, claimed.id, reason, self._office.clock())
        return "superseded"

    def _put_off(self, claimed: Claimed, due_at: datetime, problem: str | None, *, was_tried: bool) -> str:
        with self._office.engine.begin() as connection:
            put_off(connection, claimed.id, due_at, problem, was_tried=was_tried)
        return "put_off"


def _delay(claimed: Claimed) -> timedelta:
    return DELAYS[min(claimed.tries, len(DELAYS) - 1)]


def _price_of(claimed: Claimed) -> Money | None:
    """What the planner of a reminder found that the next period costs."""
    amount_minor, currency = claimed.facts.get("amount_minor"), claimed.facts.get("currency")
    if isinstance(amount_minor, int) and isinstance(currency, str):
        return Money(amount_minor, currency)
    return None
