"""JSON that means one thing only, and queries that name each parameter once."""

import pytest

from web.problems import Problem
from web.strict import DEPTH_LIMIT, INTEGER_LIMIT, check_query, strict_json


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": [1, 2.5, "\xd1\x8f", null, true]}', {"a": [1, 2.5, "я", None, True]}),
        (b"[" * (DEPTH_LIMIT - 1) + b"1" + b"]" * (DEPTH_LIMIT - 1), None),
        (str(INTEGER_LIMIT).encode(), INTEGER_LIMIT),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
    ],
)
def test_ordinary_json_is_read(body: bytes, value: object) -> None:
    assert strict_json(body) == value or value is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{} {}",
        b'{"a": 1, "a": 1}',
        b'{"b": {"a": 1, "a": 2}}',
        b"NaN",
        b"-Infinity",
        b"1e999",
        str(INTEGER_LIMIT + 1).encode(),
        b"9" * 10_000,
        b'"\\u0000"',
        b'{"\\u0000": 1}',
        b'"\\ud800"',
        b'"\xff"',
        b"[" * DEPTH_LIMIT + b"1" + b"]" * DEPTH_LIMIT,
        b"[" * 60_000,
        b'{"a":' * 10_000,
    ],
    ids=lambda body: body[:24].decode("latin-1"),
)
def test_json_that_could_mean_two_things_or_nothing_is_422(body: bytes) -> None:
    with pytest.raises(Problem) as caught:
        strict_json(body)
    assert caught.value.status == 422


@pytest.mark.parametrize("query", [b"a=1&a=2", b"a=%00", b"a=%ff", b"\xff=1", b"&".join([b"x=1"] * 60)])
def test_a_query_that_could_mean_two_things_is_422(query: bytes) -> None:
    with pytest.raises(Problem):
        check_query(query)


@pytest.mark.parametrize("query", [b"", b"a=1&b=2", b"a=", b"a=%D1%8F"])
def test_an_ordinary_query_passes(query: bytes) -> None:
    check_query(query)
