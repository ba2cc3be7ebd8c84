"""How rules that a studio wrote down as JSON are read: opening hours, rates, tiers, terms.

Called by the rooms of `booking.rules` that such rules belong to. Whatever is wrong is a `ValueError` that
names the rule and the field, as `hours[2].opens: expected HH:MM`: the admin shows it as it is.
"""

import re
from collections.abc import Container, Iterator, Mapping
from datetime import date

DAY_MINUTES = 1440

_TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class Fields:
    """One rule, read field by field. `place` is how a fault names it."""

    def __init__(self, place: str, values: Mapping[object, object]) -> None:
        self._place = place
        self._values = values

    def fault(self, field: str, words: str) -> ValueError:
        return ValueError(f"{self._place}.{field}: {words}")

    def refuse_others(self, known: Container[object]) -> None:
        """A misspelt field would otherwise be a rule that silently does not apply.

        Raises: `ValueError` naming the first that is not known.
        """
        for field in self._values:
            if field not in known:
                raise self.fault(str(field)[:40], "unknown field")

    def whole(self, field: str, least: int, most: int) -> int:
        """A whole number from `least` to `most`, both inclusive."""
        value = self._values.get(field)
        if type(value) is not int or not least <= value <= most:
            raise self.fault(field, f"expected a whole number from {least} to {most}")
        return value

    def text(self, field: str, length_max: int) -> str:
        value = self._values.get(field)
        if (
            not isinstance(value, str)
            or not value.strip()
            or len(value) > length_max
            or not value.isprintable()
        ):
            raise self.fault(field, f"expected a text of 1 to {length_max} characters")
        return value.strip()

    def weekdays(self) -> frozenset[int]:
        """ISO weekdays, 1 is Monday; at least one of them, none twice."""
        value = self._values.get("weekdays")
        if (
            isinstance(value, list | tuple)
            and value
            and all(type(day) is int and 1 <= day <= 7 for day in value)
        ):
            days = frozenset(value)
            if len(days) == len(value):
                return days
        raise self.fault("weekdays", "expected different days from 1 (Monday) to 7 (Sunday)")

    def minutes(self, from_field: str, until_field: str) -> tuple[int, int]:
        """Two times of day, the first before the second, as minutes of the local day; 24:00 is its end."""
        starts, ends = self._minute(from_field), self._minute(until_field)
        if starts >= ends:
            raise self.fault(until_field, f"expected a time after {from_field}")
        return starts, ends

    def _minute(self, field: str) -> int:
        value = self._values.get(field)
        if not isinstance(value, str) or not _TIME_OF_DAY.fullmatch(value):
            raise self.fault(field, "expected HH:MM")
        return int(value[:2]) * 60 + int(value[3:])

    def season(self) -> tuple[date | None, date | None]:
        """`from` and `until`, both inclusive and either absent."""
        first_day, last_day = self._date("from"), self._date("until")
        if first_day and last_day and first_day > last_day:
            raise self.fault("until", "expected a date not before from")
        return first_day, last_day

    def _date(self, field: str) -> date | None:
        value = self._values.get(field)
        if value is None:
            return None
        try:
            if isinstance(value, str) and _DATE.fullmatch(value):
                return date.fromisoformat(value)
        except ValueError:
            pass
        raise self.fault(field, "expected YYYY-MM-DD")


def each_rule(name: str, rules: object, known: Container[object], count_max: int) -> Iterator[Fields]:
    """The rules of a list one by one, at most `count_max`, each with no fields but the known.

    Raises: `ValueError`.
    """
    if not isinstance(rules, list | tuple):
        raise ValueError(f"{name}: expected a list")
    if len(rules) > count_max:
        raise ValueError(f"{name}: expected at most {count_max}")
    for index, rule in enumerate(rules):
        if not isinstance(rule, Mapping):
            raise ValueError(f"{name}[{index}]: expected an object")
        fields = Fields(f"{name}[{index}]", rule)
        fields.refuse_others(known)
        yield fields
