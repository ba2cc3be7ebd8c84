"""Customers who come one after the other, several at a time, while servers die under them."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from tests.crash.stack import Stack
from tests.crash.story import Story

AT_A_TIME = 3
STORIES_SECONDS_MAX = 60.0


class Load:
    """Plays stories in threads of its own for the length of the block; each that was begun is ended."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._stopping = threading.Event()
        self._pool = ThreadPoolExecutor(AT_A_TIME)
        self._running: list[Future[None]] = []
        self._played: list[Story] = []

    def __enter__(self) -> Self:
        self._running = [self._pool.submit(self._play) for _ in range(AT_A_TIME)]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._pool.shutdown()
        if error is None:
            for future in self._running:
                future.result()

    def wait_for_more(self, count: int) -> None:
        """Until `count` more stories have come to their end. Raises what broke one."""
        wanted = len(self._played) + count

        def look() -> bool | None:
            for future in self._running:
                if future.done():
                    future.result()
            return True if len(self._played) >= wanted else None

        self._stack.until(look, f"{count} more stories", STORIES_SECONDS_MAX)

    def check(self) -> None:
        """What must be true of each story; after the block, at rest."""
        for story in self._played:
            story.check()

    def _play(self) -> None:
        while not self._stopping.is_set():
            with Story(self._stack) as story:
                story.play("subscribe")
                story.play("pay")
                story.play("page")
            self._played.append(story)
