"""Sends messages to one exchange of RabbitMQ: persistent, mandatory, confirmed, within a deadline.

Called by whoever publishes commands or events, from any thread; made after a process has forked, never
before. Confirms are awaited per group, not per message. Never buffers for a broker that is away: the journal
and the outbox do that.
"""

import threading
import time
from collections.abc import Sequence
from functools import partial

import pika
from pika import spec
from pika.channel import Channel
from pika.frame import Method

from bus.port import BusAway, Envelope
from bus.rabbit.link import Link
from bus.rabbit.wire import write_properties
from runtime.crash_points import crash_point

PUBLISH_DEADLINE_SECONDS = 2.0
# Messages sent and not yet confirmed, over all threads; a broker that stops confirming fills it.
OUTSTANDING_LIMIT = 4_096


class _Group:
    """The messages of one call and how many of them the broker has not yet answered."""

    __slots__ = ("abandoned", "done", "envelopes", "failure", "waiting")

    def __init__(self, envelopes: Sequence[Envelope]) -> None:
        self.envelopes = envelopes
        self.waiting = len(envelopes)
        self.failure: str | None = None
        self.abandoned = False
        self.done = threading.Event()

    def fail(self, reason: str) -> None:
        self.failure = self.failure or reason
        self.done.set()

    def answered(self) -> None:
        self.waiting -= 1
        if self.waiting == 0:
            self.done.set()


class RabbitPublisher:
    """A `Publisher` over one connection of its own."""

    def __init__(self, amqp_url: str, exchange: str, service: str) -> None:
        self._exchange = exchange
        self._service = service
        self._channel: Channel | None = None
        self._blocked = False
        self._next_tag = 1
        # By delivery tag, in the order of sending: a confirm for many takes from the front.
        self._outstanding: dict[int, tuple[str, _Group]] = {}
        self._link = Link(amqp_url, f"{service} publisher", self)
        self._link.start()

    def publish(self, envelopes: Sequence[Envelope]) -> None:
        """See `Publisher.publish`. Raises ValueError for more than OUTSTANDING_LIMIT messages at once."""
        if not envelopes:
            return
        if len(envelopes) > OUTSTANDING_LIMIT:
            raise ValueError(f"{len(envelopes)} messages in one call, at most {OUTSTANDING_LIMIT}")
        deadline = time.monotonic() + PUBLISH_DEADLINE_SECONDS
        self._link.wait_until_tried(PUBLISH_DEADLINE_SECONDS)
        group = _Group(envelopes)
        if not self._link.submit(partial(self._send, group)):
            raise BusAway(reason="no connection")
        if not group.done.wait(deadline - time.monotonic()):
            group.abandoned = True
            raise BusAway(reason="no confirm in time")
        if group.failure:
            raise BusAway(reason=group.failure)

    def close(self) -> None:
        self._link.close()

    def prepare(self) -> None:
        """Nothing to do: who publishes does not declare."""

    def channel_opened(self, channel: Channel) -> None:
        channel.add_on_return_callback(self._returned)
        channel.connection.add_on_connection_blocked_callback(partial(self._set_blocked, True))
        channel.connection.add_on_connection_unblocked_callback(partial(self._set_blocked, False))
        channel.confirm_delivery(self._confirmed)
        self._blocked = False
        self._next_tag = 1
        self._channel = channel

    def channel_lost(self, reason: str) -> None:
        self._channel = None
        for _, group in self._outstanding.values():
            group.fail(reason)
        self._outstanding.clear()

    def _send(self, group: _Group) -> None:
        if group.abandoned:
            return
        channel = self._channel
        if channel is None or not channel.is_open:
            group.fail("no channel")
        elif self._blocked:
            group.fail("blocked by an alarm of the broker")
        elif len(self._outstanding) + len(group.envelopes) > OUTSTANDING_LIMIT:
            group.fail("too many unconfirmed messages")
        else:
            for envelope in group.envelopes:
                properties = write_properties(envelope, self._service)
                self._outstanding[self._next_tag] = (properties.message_id, group)
                self._next_tag += 1
                channel.basic_publish(
                    self._exchange, envelope.route, envelope.body, properties, mandatory=True
                )

    def _confirmed(self, frame: Method[spec.Basic.Ack | spec.Basic.Nack]) -> None:
        crash_point("before_confirm")
        answer = frame.method
        refused = isinstance(answer, spec.Basic.Nack)
        for tag in self._tags_up_to(answer.delivery_tag) if answer.multiple else [answer.delivery_tag]:
            _, group = self._outstanding.pop(tag)
            if refused:
                group.fail("refused by the queue")
            group.answered()

    def _tags_up_to(self, last: int) -> list[int]:
        tags = []
        for tag in self._outstanding:
            if tag > last:
                break
            tags.append(tag)
        return tags

    def _returned(
        self, channel: Channel, method: spec.Basic.Return, properties: pika.BasicProperties, body: bytes
    ) -> None:
        """No queue took the message. The broker confirms it all the same, right after."""
        for message_id, group in self._outstanding.values():
            if message_id == properties.message_id:
                group.fail(f"returned: {method.reply_text}")

    def _set_blocked(self, blocked: bool, connection: object, frame: object) -> None:
        self._blocked = blocked
