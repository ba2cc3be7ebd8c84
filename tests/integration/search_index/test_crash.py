"""Killed between the cluster's answer and our note of it: documents are there once, and the rows agree."""

import os
import signal
import subprocess
import sys

import pytest

from tests.integration.search_index.cluster import Cluster
from tests.integration.search_index.log import EventLog

SETTLE_SECONDS_MAX = 30
ONE_TURN = """
from integrations.search_index import Indexer
from kit.clock import system_clock
from runtime.settings import EventSettings
from storage.database import create_role_engine
settings = EventSettings()
engine = create_role_engine(settings.database_url.get_secret_value(), "billbus_events", "test")
assert Indexer(engine, settings, system_clock).turn() == 0.0
"""


def run_one_turn(event_log: EventLog, cluster_url: str, **environment: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", ONE_TURN],
        env={**os.environ, "DATABASE_URL": event_log.url, "ELASTICSEARCH_URL": cluster_url, **environment},
        timeout=SETTLE_SECONDS_MAX,
        check=False,
    )
    return done.returncode


@pytest.mark.slow
def test_an_indexer_that_is_killed_before_it_has_noted_is_made_good_by_the_next(
    event_log: EventLog, cluster: Cluster, cluster_url: str
) -> None:
    event_log.add(10)
    assert run_one_turn(event_log, cluster_url, CRASH_AT="indexer_after_bulk:1") == -signal.SIGKILL
    assert len(cluster.created) == 10
    assert event_log.waiting() == 10
    event_log.pass_time(120)
    assert run_one_turn(event_log, cluster_url) == 0
    assert event_log.waiting() == 0
    assert len(cluster.bulks) == 2
    assert len(cluster.created) == 10
