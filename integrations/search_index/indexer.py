"""The indexer: takes logged events page by page and notes what the search index has of them.

Runs in a thread of the events process. The rows are its queue: while the cluster is away it holds one page at
most, tries it rarely, and nothing else waits for it. Two may run: each claims its own rows, and a document is
created once whoever sends it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from time import monotonic, sleep
from typing import Final
from uuid import UUID

import structlog
from elasticsearch import ApiError, Elasticsearch, TransportError
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from integrations.search_index.bulk import (
    PROBLEM_CHARACTERS_MAX,
    Answer,
    Fate,
    connect,
    create_documents,
)
from kit.clock import Clock
from runtime.crash_points import crash_point
from runtime.metrics import EVENT_AGE_SECONDS, SEARCH_EVENTS
from runtime.settings import EventSettings
from storage.event_log import LoggedEvent, claim_unindexed, mark_indexed, put_off_indexing

TEMPLATE: Final = "billing-events"
PAGE_LIMIT: Final = 500
# Of an indexer that died with a page. Sending may take longer: who claims it then finds the documents there.
CLAIM_SECONDS: Final = 120.0
POLL_SECONDS: Final = 1.0
FIRST_DELAY_SECONDS: Final = 1.0
LONGEST_DELAY_SECONDS: Final = 300.0
# A document that no mapping fits is not tried again soon: somebody has to correct the template first.
REFUSED_DELAY_SECONDS: Final = 6 * 3600.0
STOP_CHECK_SECONDS: Final = 0.2

log = structlog.get_logger(__name__)


class TemplateMissing(Exception):
    """The index template is not there: documents would be taken with guessed types. Run the set-up first."""


class Indexer:
    """`engine` runs as billbus_events. `clock` is only for how late events are taken."""

    def __init__(
        self, engine: Engine, settings: EventSettings, clock: Clock, client: Elasticsearch | None = None
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._client = client or connect(settings)
        self._has_template = False
        self._failures = 0
        self.is_stopping = False

    def run(self) -> None:
        """Until `is_stopping`; ends for nothing else."""
        while not self.is_stopping:
            self._wait(self.turn())
        self.close()

    def close(self) -> None:
        self._client.close()

    def turn(self) -> float:
        """One page, whatever happens. Returns for how many seconds no other need be tried."""
        try:
            return self.index_page()
        except OperationalError as error:
            seconds = self._next_delay(None)
            log.warning("postgres is away", reason=str(error)[:200], retry_seconds=seconds)
        except Exception:
            # The outermost loop of a thread: its death would end the process of others.
            seconds = self._next_delay(None)
            log.exception("indexing broke", retry_seconds=seconds)
        return seconds

    def index_page(self) -> float:
        """Sends one page of what is due and notes what became of it. Returns as `turn` does."""
        with self._engine.begin() as connection:
            page = claim_unindexed(connection, CLAIM_SECONDS, PAGE_LIMIT)
        if not page:
            return POLL_SECONDS
        answers: dict[UUID, Answer] = {}
        failure: Exception | None = None
        try:
            self._require_template()
            create_documents(self._client, page, answers)
        except (ApiError, TransportError, TemplateMissing) as error:
            failure = error
        crash_point("indexer_after_bulk")
        return self._note(page, answers, failure)

    def _require_template(self) -> None:
        if not self._has_template:
            self._has_template = bool(self._client.indices.exists_index_template(name=TEMPLATE))
        if not self._has_template:
            raise TemplateMissing(f"there is no index template {TEMPLATE}")

    def _note(
        self, page: Sequence[LoggedEvent], answers: Mapping[UUID, Answer], failure: Exception | None
    ) -> float:
        """Writes down what became of each event. Returns the delay until the next page."""
        unanswered = Answer(Fate.BUSY, _name_of(failure))
        fates = {event.event_id: answers.get(event.event_id, unanswered) for event in page}
        counts = Counter(answer.fate for answer in fates.values())
        if counts[Fate.BUSY]:
            delay = self._next_delay(failure)
        else:
            delay, self._failures = 0.0, 0
        with self._engine.begin() as connection:
            mark_indexed(
                connection,
                [one for one, answer in fates.items() if answer.fate in (Fate.TAKEN, Fate.THERE_ALREADY)],
            )
            for answer in set(fates.values()):
                if answer.fate in (Fate.REFUSED, Fate.BUSY):
                    seconds = REFUSED_DELAY_SECONDS if answer.fate is Fate.REFUSED else delay
                    ids = [one for one, found in fates.items() if found == answer]
                    put_off_indexing(connection, ids, seconds, answer.problem)
        self._tell(page, fates, counts, delay)
        return delay

    def _tell(
        self,
        page: Sequence[LoggedEvent],
        fates: Mapping[UUID, Answer],
        counts: Mapping[Fate, int],
        delay: float,
    ) -> None:
        now = self._clock()
        for event in page:
            if fates[event.event_id].fate is Fate.TAKEN:
                age = (now - event.occurred_at).total_seconds()
                EVENT_AGE_SECONDS.labels("search_index").observe(max(0.0, age))
        for fate, count in counts.items():
            SEARCH_EVENTS.labels(fate.value).inc(count)
        # The problem's first words are its kind; what follows may quote the document.
        kinds = sorted({answer.problem.split(":")[0] for answer in fates.values() if answer.problem})
        if counts.get(Fate.REFUSED):
            log.error("the search index refuses events", events=counts[Fate.REFUSED], kinds=kinds)
        if counts.get(Fate.BUSY):
            log.warning("the search index is away", kinds=kinds, retry_seconds=delay, failures=self._failures)

    def _next_delay(self, failure: Exception | None) -> float:
        """Doubles with every failure in a row, and is no shorter than the cluster asks for."""
        self._failures += 1
        doubled = FIRST_DELAY_SECONDS * 2.0 ** min(self._failures - 1, 20)
        return min(LONGEST_DELAY_SECONDS, max(doubled, _asked_seconds(failure)))

    def _wait(self, seconds: float) -> None:
        until = monotonic() + seconds
        while not self.is_stopping and (left := until - monotonic()) > 0:
            sleep(min(STOP_CHECK_SECONDS, left))


def _name_of(failure: Exception | None) -> str:
    """Its kind, and the status if there was an answer."""
    if failure is None:
        return "no answer about this event"
    status = f" {failure.status_code}" if isinstance(failure, ApiError) else ""
    return f"{type(failure).__name__}{status}: {failure}"[:PROBLEM_CHARACTERS_MAX]


def _asked_seconds(failure: Exception | None) -> float:
    """Of a Retry-After in seconds; its other form, a date, is not used by clusters."""
    asked = failure.meta.headers.get("retry-after") if isinstance(failure, ApiError) else None
    return float(asked) if asked and asked.isdecimal() else 0.0
