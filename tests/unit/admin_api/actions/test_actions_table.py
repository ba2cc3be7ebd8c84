"""The table of actions itself: what each must have, whatever it does."""

import re

import pytest

from admin_api.actions.action import Action
from admin_api.actions.registry import ACTIONS
from admin_api.pages.words import WORDS, knows
from admin_api.permissions import PERMISSIONS
from state_updater.machines import MACHINES

# What only the updater writes, by any name that a form could try.
STATE_COLUMNS = {"state", "version", "head_hash", "paid_minor", "refunded_minor", "reserved_minor"}
every_action = pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS.keys())


@every_action
def test_action_asks_for_a_permission_of_the_table(action: Action) -> None:
    assert action.permission in PERMISSIONS


@every_action
def test_action_and_its_fields_have_words_in_both_languages(action: Action) -> None:
    keys = [f"action.{action.name}", *(f"field.{name}" for name in action.body.model_fields)]
    for key in keys:
        assert knows(key), key
        assert all(WORDS[key]), key


@every_action
def test_action_is_about_something_exactly_when_its_path_says_so(action: Action) -> None:
    assert (action.subject is not None) == ("{subject_id}" in action.path)
    assert re.fullmatch(r"(/([a-z_-]+|\{subject_id\}))+", action.path)
    assert action.summary


@every_action
def test_body_takes_nothing_but_its_fields_and_no_column_of_a_machine(action: Action) -> None:
    assert action.body.model_config.get("extra") == "forbid"
    assert not STATE_COLUMNS & action.body.model_fields.keys()


@every_action
def test_every_field_says_how_a_form_draws_it(action: Action) -> None:
    for name, part in action.body.model_json_schema().get("properties", {}).items():
        branches = [part, *part.get("anyOf", ())]
        assert any("widget" in one or one.get("type") in ("integer", "boolean") for one in branches), name


@every_action
def test_secrets_are_marked_and_never_foreseen(action: Action) -> None:
    for part in action.body.model_json_schema().get("properties", {}).values():
        branches = [part, *part.get("anyOf", ())]
        if any(one.get("format") == "password" for one in branches):
            assert part.get("widget") == "secret"
            assert action.preview is None


def test_paths_are_unique() -> None:
    paths = [action.path for action in ACTIONS.values()]
    assert len(paths) == len(set(paths))


def test_every_step_that_may_be_foreseen_has_words() -> None:
    steps = {(machine.name, trigger) for machine in MACHINES.values() for trigger, _, _ in machine.edges()}
    assert [step for step in steps if not knows(f"effect.step.{step[0]}.{step[1]}")] == []
