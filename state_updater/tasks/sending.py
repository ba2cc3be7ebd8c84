"""Sending tasks: used by the relay, which imports no Celery itself."""

from collections.abc import Mapping
from typing import Protocol

from kombu.exceptions import ChannelError, OperationalError

from kit.errors import Transient
from runtime.settings import TaskSettings
from state_updater.tasks.app import QUEUE, make_app


class TaskSender(Protocol):
    def send(self, name: str, arguments: Mapping[str, str]) -> None:
        """Puts one task on Celery's broker. Raises Transient when it is away."""


class CelerySender:
    """Sends through the broker of `settings`. Used by one thread."""

    def __init__(self, settings: TaskSettings) -> None:
        self._app = make_app(settings)

    def send(self, name: str, arguments: Mapping[str, str]) -> None:
        try:
            self._app.send_task(name, kwargs=dict(arguments), queue=QUEUE, retry=False)
        except (OperationalError, ChannelError, OSError) as error:
            raise Transient("task_broker_away", task=name) from error
