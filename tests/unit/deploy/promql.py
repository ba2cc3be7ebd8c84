"""As much of Prometheus as our alerts need: expressions over planted series, and what fires after `for`.

So that rules are tried where there is no promtool; where there is, it is given the same file. Rates are the
plain rise of a window: nothing here may be tested nearer to a threshold than that.
"""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]
Value = Vector | float

LOOKBACK_SECONDS = 300
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
TOKEN = re.compile(
    r'\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<text>"[^"]*")|(?P<range>\[\d+[smhd]\])'
    r"|(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)|(?P<sign>==|!=|<=|>=|=~|!~|[-+*/<>=(){},]))"
)
COMPARE: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt,
    ">=": operator.ge,
}  # fmt: skip
COMPUTE: dict[str, Callable[[float, float], float]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
}  # fmt: skip
GATHER: dict[str, Callable[[list[float]], float]] = {"max": max, "min": min, "sum": sum, "count": len}
MATCH: dict[str, Callable[[str, str], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "=~": lambda value, pattern: re.fullmatch(pattern, value) is not None,
    "!~": lambda value, pattern: re.fullmatch(pattern, value) is None,
}
PRECEDENCE = (("or",), ("and",), tuple(COMPARE), ("+", "-"), ("*", "/"))


def seconds(duration: str) -> int:
    return int(duration[:-1]) * UNITS[duration[-1]]


@dataclass(frozen=True)
class Series:
    """Samples at 0, `interval`, 2 × `interval`, …; None: there is none."""

    name: str
    labels: Labels
    interval_seconds: int
    samples: tuple[float | None, ...]

    def between(self, after: float, until: float) -> list[float]:
        indexed = ((number * self.interval_seconds, value) for number, value in enumerate(self.samples))
        return [value for at, value in indexed if value is not None and after <= at <= until]


def read_series(written: str, values: str, interval: str) -> Series:
    """`name{label="value"}` and promtool's shorthand: `a`, `axn`, `a+bxn`, `_xn`."""
    name, _, inner = written.rstrip("}").partition("{")
    samples: list[float | None] = []
    for word in values.split():
        match = re.fullmatch(r"(_|-?\d+)(?:\+(\d+))?(?:x(\d+))?", word)
        assert match, word
        start, step, times = match[1], int(match[2] or 0), int(match[3] or 0)
        samples += [None if start == "_" else int(start) + step * number for number in range(times + 1)]
    return Series(name, frozenset(re.findall(r'(\w+)="([^"]*)"', inner)), seconds(interval), tuple(samples))


class Expression:
    """Parsed while it is evaluated: expressions are short and series few."""

    def __init__(self, written: str, series: list[Series], now: float) -> None:
        found = list(TOKEN.finditer(written))
        assert "".join(match[0] for match in found) == written.rstrip(), f"cannot read {written}"
        self._tokens = [(match.lastgroup or "", match[match.lastgroup or 0]) for match in found]
        self._series, self._now = series, now

    def value(self) -> Value:
        value = self._binary(0)
        assert not self._tokens, f"left over: {self._tokens}"
        return value

    def _next(self) -> str:
        return self._tokens[0][1] if self._tokens else ""

    def _take(self, wanted: str | None = None) -> str:
        _, token = self._tokens.pop(0)
        assert wanted in (None, token), f"{wanted} expected, {token} found"
        return token

    def _binary(self, level: int) -> Value:
        if level == len(PRECEDENCE):
            return self._unary()
        left = self._binary(level + 1)
        while self._next() in PRECEDENCE[level]:
            sign = self._take()
            on = self._labels() if self._next() == "on" and self._take() else None
            left = _combine(sign, left, self._binary(level + 1), on)
        return left

    def _unary(self) -> Value:
        kind, token = self._tokens[0]
        if kind == "number":
            return float(self._take())
        if token == "(":
            return self._in_brackets()
        name = self._take()
        if name in GATHER:
            by = self._labels() if self._next() == "by" and self._take() else []
            return _gather(GATHER[name], self._in_brackets(), by)
        if name == "time":
            self._take("(")
            self._take(")")
            return self._now
        if name in ("increase", "rate"):
            self._take("(")
            value = self._rise(name)
            self._take(")")
            return value
        if name == "absent":
            self._take("(")
            is_there = bool(self._select(self._take(), LOOKBACK_SECONDS, lambda samples: samples[-1]))
            self._take(")")
            return {} if is_there else {frozenset(self._told): 1.0}
        return self._select(name, LOOKBACK_SECONDS, lambda samples: samples[-1])

    def _in_brackets(self) -> Value:
        self._take("(")
        value = self._binary(0)
        self._take(")")
        return value

    def _labels(self) -> list[str]:
        self._take("(")
        labels = []
        while self._next() != ")":
            labels.append(self._take())
            if self._next() == ",":
                self._take()
        self._take(")")
        return labels

    def _rise(self, name: str) -> Vector:
        metric = self._take()
        window = next(token for kind, token in self._tokens if kind == "range")
        length = seconds(window[1:-1])
        found = self._select(metric, length, _rise)
        self._take(window)
        return {labels: rise / (length if name == "rate" else 1) for labels, rise in found.items()}

    def _select(self, metric: str, window: float, tell: Callable[[list[float]], float]) -> Vector:
        matchers = []
        if self._next() == "{":
            self._take()
            while self._next() != "}":
                matchers.append((self._take(), self._take(), self._take().strip('"')))
                if self._next() == ",":
                    self._take()
            self._take()
        self._told = [(label, value) for label, sign, value in matchers if sign == "="]
        found: Vector = {}
        for one in self._series:
            labels = dict(one.labels)
            fits = all(MATCH[sign](labels.get(label, ""), wanted) for label, sign, wanted in matchers)
            if one.name == metric and fits and (samples := one.between(self._now - window, self._now)):
                found[one.labels] = tell(samples)
        return found


def _rise(samples: list[float]) -> float:
    """Of a counter; one that falls has begun anew."""
    return sum(later - earlier if later >= earlier else later for earlier, later in pairwise(samples))


def _gather(gather: Callable[[list[float]], float], value: Value, by: list[str]) -> Vector:
    assert isinstance(value, dict)
    groups: dict[Labels, list[float]] = {}
    for labels, sample in value.items():
        groups.setdefault(frozenset((k, v) for k, v in labels if k in by), []).append(sample)
    return {labels: float(gather(samples)) for labels, samples in groups.items()}


def _combine(sign: str, left: Value, right: Value, on: list[str] | None) -> Value:
    if sign in ("or", "and"):
        assert isinstance(left, dict)
        assert isinstance(right, dict)
        if sign == "or":
            return right | left
        return left if right and on == [] else {labels: left[labels] for labels in left if labels in right}
    if isinstance(left, float) and isinstance(right, float):
        return COMPUTE[sign](left, right)
    pairs = _pairs(left, right)
    if sign in COMPARE:
        return {labels: a for labels, (a, b) in pairs.items() if COMPARE[sign](a, b)}
    return {labels: COMPUTE[sign](a, b) for labels, (a, b) in pairs.items()}


def _pairs(left: Value, right: Value) -> dict[Labels, tuple[float, float]]:
    if isinstance(left, dict) and isinstance(right, dict):
        return {labels: (left[labels], right[labels]) for labels in left if labels in right}
    if isinstance(left, dict):
        assert isinstance(right, float)
        return {labels: (value, right) for labels, value in left.items()}
    assert isinstance(right, dict)
    return {labels: (left, value) for labels, value in right.items()}


def firing(rule: dict[str, Any], series: list[Series], at: int, step_seconds: int = 60) -> Vector:
    """What of an alert has been true at every look for its `for`, at `at` seconds."""
    hold, since = seconds(rule.get("for", "0s")), dict[Labels, int]()
    now_true: Vector = {}
    for now in range(max(0, at - hold), at + 1, step_seconds):
        value = Expression(rule["expr"], series, float(now)).value()
        assert isinstance(value, dict)
        now_true = value
        since = {labels: since.get(labels, now) for labels in now_true}
    return {labels: now_true[labels] for labels, began in since.items() if at - began >= hold}
