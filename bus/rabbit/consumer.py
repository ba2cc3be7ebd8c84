"""Receives from queues of RabbitMQ for one process: pushed, kept in order, acknowledged in one stroke.

Called by the main loop of a process that consumes. The link's thread only stores what arrives, so that the
loop may take its time. Never publishes, and never answers a delivery of a channel that is gone.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import NamedTuple

import pika
from pika import spec
from pika.channel import Channel

from bus.port import BusAway, BusRefused, Delivery
from bus.rabbit.link import Link, console_name
from bus.rabbit.wire import read_delivery

# Per queue: two groups of the largest usual size, so that the next is here while one is applied.
PREFETCH = 200
STEP_BACK_SECONDS = 60.0
# Reply codes that time does not heal: no right or a wrong password, what is there differs, no virtual host.
REFUSALS = ("403", "406", "530")

logger = logging.getLogger(__name__)


class Receipt(NamedTuple):
    """A delivery tag and the channel on which alone it means this delivery."""

    generation: int
    tag: int


class _Arrived(NamedTuple):
    receipt: Receipt
    redelivered: bool
    properties: pika.BasicProperties
    body: bytes


class RabbitConsumer:
    """A `Consumer` of `queues`, and of `stand_by_queues` a few seconds later.

    A queue with a single active consumer serves the one who came first: the late-comer gets what the owner
    leaves when it dies. Once a minute it steps back, and an owner that has returned has its queue again.
    `redeclare` is called before connecting again after the broker said that a queue is gone; a user without
    the right to make one then waits for people, or is refused if it has never been served.
    """

    def __init__(
        self,
        amqp_url: str,
        service: str,
        queues: Sequence[str],
        redeclare: Callable[[], None],
        stand_by_queues: Sequence[str] = (),
        stand_by_delay_seconds: float = 0.0,
        step_back_seconds: float = STEP_BACK_SECONDS,
    ) -> None:
        self._service = service
        self._queues = queues
        self._redeclare = redeclare
        self._stand_by_queues = stand_by_queues
        self._stand_by_delay_seconds = stand_by_delay_seconds
        self._step_back_seconds = step_back_seconds
        self._channel: Channel | None = None
        self._generation = 0
        self._consumer_numbers = count(1)
        self._queue_gone: str | None = None
        self._never_served = set(queues)
        self._refusal: str | None = None
        self._arrived: deque[_Arrived] = deque()
        self._something = threading.Condition()
        self._link = Link(amqp_url, f"{service} consumer", self)
        self._link.start()

    def receive(self, limit: int, wait_seconds: float) -> list[Delivery]:
        """See `Consumer.receive`. Oldest is by arrival: partitions are interleaved, each in its own order."""
        with self._something:
            self._something.wait_for(lambda: self._arrived or self._refusal, wait_seconds)
            if self._refusal is not None:
                raise BusRefused(f"RabbitMQ refuses {self._service}: {self._refusal}")
            taken = [self._arrived.popleft() for _ in range(min(limit, len(self._arrived)))]
        return [read_delivery(one.properties, one.body, one.redelivered, one.receipt) for one in taken]

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """See `Consumer.acknowledge`."""
        generation = self._generation
        tags = [
            delivery.receipt.tag
            for delivery in deliveries
            if isinstance(delivery.receipt, Receipt) and delivery.receipt.generation == generation
        ]
        if tags:
            self._link.submit(partial(self._acknowledge_up_to, Receipt(generation, max(tags))))

    def reject(self, delivery: Delivery, reason: str) -> None:
        """See `Consumer.reject`. The broker keeps no reason of ours: it is in the log."""
        logger.error("rejected message %s (%s): %s", delivery.message_id, delivery.kind, reason)
        if isinstance(delivery.receipt, Receipt):
            self._link.submit(partial(self._reject_one, delivery.receipt))

    def keep_alive(self) -> None:
        """Nothing to do: the link's thread serves the heartbeats."""

    def close(self) -> None:
        self._link.close()

    def prepare(self) -> None:
        gone, self._queue_gone = self._queue_gone, None
        if gone is not None:
            try:
                self._redeclare()
            except BusAway as error:
                logger.error("%s: %s, and could not be made again: %s", self._service, gone, error)
                self._take_refusal(str(error.facts["reason"]), gone)

    def channel_opened(self, channel: Channel) -> None:
        self._channel = channel
        channel.add_on_cancel_callback(self._canceled_by_broker)
        channel.basic_qos(prefetch_count=PREFETCH)
        for queue in self._queues:
            self._subscribe(channel, queue)
        if self._stand_by_queues:
            channel.connection.ioloop.call_later(
                self._stand_by_delay_seconds, partial(self._stand_by, channel)
            )

    def channel_lost(self, reason: str) -> None:
        self._channel = None
        if reason.startswith("404"):
            self._queue_gone = reason
        self._take_refusal(reason, reason)
        with self._something:
            self._generation += 1
            self._arrived.clear()

    def _subscribe(self, channel: Channel, queue: str) -> str:
        """The consumer tag: always a new one, because a canceled tag lives on until the broker answers."""
        tag = f"{console_name(self._service)} {next(self._consumer_numbers)}"
        channel.basic_consume(queue, self._arrive, consumer_tag=tag, callback=partial(self._served, queue))
        return tag

    def _served(self, queue: str, frame: object) -> None:
        self._never_served.discard(queue)

    def _take_refusal(self, reason: str, told: str) -> None:
        if self._never_served and reason.startswith(REFUSALS):
            with self._something:
                self._refusal = told
                self._something.notify()

    def _stand_by(self, channel: Channel) -> None:
        """The broker makes the next in line active when we cancel; if nobody is, that is us again."""
        if not self._is_current(channel):
            return
        tags = [self._subscribe(channel, queue) for queue in self._stand_by_queues]
        channel.connection.ioloop.call_later(self._step_back_seconds, partial(self._step_back, channel, tags))

    def _step_back(self, channel: Channel, tags: Sequence[str]) -> None:
        if not self._is_current(channel):
            return
        for tag in tags:
            channel.basic_cancel(tag)
        self._stand_by(channel)

    def _is_current(self, channel: Channel) -> bool:
        return self._channel is not None and channel is self._channel and channel.is_open is True

    def _arrive(
        self,
        channel: Channel,
        method: spec.Basic.Deliver,
        properties: pika.BasicProperties,
        body: bytes,
    ) -> None:
        with self._something:
            receipt = Receipt(self._generation, method.delivery_tag)
            self._arrived.append(_Arrived(receipt, method.redelivered, properties, body))
            if len(self._arrived) == 1:
                self._something.notify()

    def _canceled_by_broker(self, frame: object) -> None:
        """A queue was deleted; the next connection finds it missing and has it declared."""
        self._link.rebuild("a queue was deleted")

    def _acknowledge_up_to(self, receipt: Receipt) -> None:
        if receipt.generation == self._generation and self._channel is not None and self._channel.is_open:
            self._channel.basic_ack(receipt.tag, multiple=True)

    def _reject_one(self, receipt: Receipt) -> None:
        if receipt.generation == self._generation and self._channel is not None and self._channel.is_open:
            self._channel.basic_nack(receipt.tag, requeue=False)
