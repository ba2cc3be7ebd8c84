"""Passwords under load: hashing them must not take the threads that everybody else's requests need."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from web.passwords import HASHES_AT_ONCE, HASHES_WAITING, hash_password, password_matches
from web.problems import Problem

PLACES = HASHES_AT_ONCE + HASHES_WAITING


def test_who_finds_the_queue_full_is_sent_away_and_the_others_are_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # However busy the machine is: who is in the queue is served in the end.
    monkeypatch.setattr("web.passwords.HASH_QUEUE_SECONDS", 60)
    together = Barrier(2 * PLACES)

    def hash_one(_number: int) -> int:
        together.wait(timeout=10)
        try:
            hash_password("correct horse battery")
        except Problem as problem:
            return problem.status
        return 200

    with ThreadPoolExecutor(2 * PLACES) as crowd:
        answers = list(crowd.map(hash_one, range(2 * PLACES)))
    assert answers.count(200) >= PLACES
    assert answers.count(503) >= 1
    assert set(answers) == {200, 503}


def test_places_are_given_back() -> None:
    known = hash_password("correct horse battery")
    assert all(password_matches("correct horse battery", known) for _ in range(PLACES + 1))
