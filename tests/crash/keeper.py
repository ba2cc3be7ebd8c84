"""Lends a warm stack to one test after the other."""

import contextlib

from tests.crash.stack import Stack
from tests.servers import open_directory


class Keeper:
    """Makes a stack when there is none, and ends it with `close` or when it comes back bad."""

    def __init__(self, *, on_rabbitmq: bool) -> None:
        self._on_rabbitmq = on_rabbitmq
        self._ending = contextlib.ExitStack()
        self._stack: Stack | None = None

    def lend(self) -> Stack:
        """Every process runs, none is armed."""
        if self._stack is None:
            self._stack = self._make()
        try:
            self._stack.heal()
        except BaseException:
            self.close()
            raise
        return self._stack

    def take_back(self, *, is_good: bool) -> None:
        if not is_good:
            self.close()
        elif self._stack is not None:
            self._stack.disarm()

    def close(self) -> None:
        self._stack = None
        self._ending.close()

    def _make(self) -> Stack:
        directory = self._ending.enter_context(open_directory())
        stack = Stack(directory, on_rabbitmq=self._on_rabbitmq)
        self._ending.callback(stack.stop)
        stack.start()
        return stack
