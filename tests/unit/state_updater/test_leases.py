"""A lease must outlast the call that it protects."""

import pytest

from runtime.settings import TaskSettings
from state_updater.tasks.desk import require_lease_outlasts_calls


def settings(**changed: object) -> TaskSettings:
    return TaskSettings.model_validate({"database_url": "postgresql://nobody@127.0.0.1:9/none", **changed})


def test_the_settings_of_production_fit() -> None:
    require_lease_outlasts_calls(settings())


def test_a_lease_shorter_than_the_longest_call_is_refused_in_a_sentence() -> None:
    with pytest.raises(SystemExit, match="LEASE_SECONDS is 93 but a call may last 93 s"):
        require_lease_outlasts_calls(settings(lease_seconds=93.0))


def test_a_shorter_answer_timeout_allows_a_shorter_lease() -> None:
    require_lease_outlasts_calls(settings(lease_seconds=2.0, provider_answer_timeout_seconds=0.4))
