"""One page of logged events to Elasticsearch, and what it said of each.

Called by the indexer. Nothing is tried again here, and nothing is stored: who is not in the answers was not
taken, as far as anybody knows.
"""

import ssl
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Final
from uuid import UUID

from elasticsearch import ApiError, Elasticsearch
from elasticsearch.helpers import streaming_bulk

from integrations.search_index.documents import document_of, index_of
from runtime.settings import EventSettings
from storage.event_log import LoggedEvent

REQUEST_BYTES_MAX: Final = 4 * 1024 * 1024
REQUEST_TIMEOUT_SECONDS: Final = 10.0
PROBLEM_CHARACTERS_MAX: Final = 500
TOO_LARGE: Final = 413


class Fate(Enum):
    """What became of one event."""

    TAKEN = "taken"
    THERE_ALREADY = "there_already"
    REFUSED = "refused"  # the document itself: no mapping fits it
    BUSY = "busy"  # the moment: another one may do


@dataclass(frozen=True, slots=True)
class Answer:
    """About one event. `problem` is for a person."""

    fate: Fate
    problem: str = ""


Answers = MutableMapping[UUID, Answer]


def connect(settings: EventSettings) -> Elasticsearch:
    """A client that tries once and waits REQUEST_TIMEOUT_SECONDS: trying again is ours, from rows.

    Ends the process with a sentence when the settings cannot be used. Nothing is sent yet.
    """
    assert settings.elasticsearch_url is not None
    key, ca_file = settings.elasticsearch_api_key, settings.elasticsearch_ca_file
    client_of = partial(
        Elasticsearch,
        settings.elasticsearch_url.get_secret_value(),
        api_key=key.get_secret_value() if key else None,
        request_timeout=REQUEST_TIMEOUT_SECONDS,
        max_retries=0,
        retry_on_timeout=False,
        connections_per_node=1,
    )
    try:
        return client_of(ssl_context=ssl.create_default_context(cafile=ca_file)) if ca_file else client_of()
    except (ValueError, OSError) as error:
        raise SystemExit(f"billbus: ELASTICSEARCH_URL or ELASTICSEARCH_CA_FILE: {error}") from None


def create_documents(client: Elasticsearch, events: Sequence[LoggedEvent], answers: Answers) -> None:
    """Sends `events` in requests of at most REQUEST_BYTES_MAX and fills `answers` as they come.

    Raises ApiError or TransportError when a request failed as a whole; `answers` has what came before it.
    Idempotent by event id: an event that is there already is left as it is, and said to be.
    """
    actions = (
        {
            "_op_type": "create",
            "_index": index_of(event),
            "_id": str(event.event_id),
            "_source": document_of(event),
        }
        for event in events
    )
    said = streaming_bulk(
        client, actions, chunk_size=len(events), max_chunk_bytes=REQUEST_BYTES_MAX, raise_on_error=False
    )
    try:
        for _, item in said:
            one = item["create"]
            answers[UUID(one["_id"])] = judge(one["status"], one.get("error"))
    except ApiError as error:
        if error.status_code != TOO_LARGE:
            raise
        _send_in_halves(client, [event for event in events if event.event_id not in answers], answers)


def _send_in_halves(client: Elasticsearch, events: Sequence[LoggedEvent], answers: Answers) -> None:
    """Somebody before the cluster takes less than we send; one event that is too large is refused alone."""
    if len(events) == 1:
        answers[events[0].event_id] = Answer(Fate.REFUSED, "the request was too large with this event alone")
        return
    middle = len(events) // 2
    create_documents(client, events[:middle], answers)
    create_documents(client, events[middle:], answers)


def judge(status: int, error: object) -> Answer:
    """What an item's status means. Only 400 is about the document: closed or full indices answer 403 and 404,
    and those get well without it."""
    if 200 <= status < 300:
        return Answer(Fate.TAKEN)
    if status == 409:
        return Answer(Fate.THERE_ALREADY)
    return Answer(Fate.REFUSED if status == 400 else Fate.BUSY, _problem_of(status, error))


def _problem_of(status: int, error: object) -> str:
    if isinstance(error, dict):
        error = f"{error.get('type')}: {error.get('reason')}"
    return f"{status} {error}"[:PROBLEM_CHARACTERS_MAX]
