"""Who spends what: CPU seconds by process, statements by role.

Called by the benchmarks that say where time goes. Source: proc(5) for stat; a process's own time and that of
the children it has waited for.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import psycopg

_TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")
# After the name, which may hold anything: the state, the parent, and further on four times in ticks.
_PARENT, _TIMES = 1, slice(11, 15)

_STATEMENTS = """
    SELECT r.rolname::text, sum(s.calls)::bigint FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid
    WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND r.rolname LIKE 'billbus\\_%%' GROUP BY 1
"""


def cpu_seconds(roots: Mapping[str, int]) -> dict[str, float]:
    """User and system time of each named process with all its descendants; it only grows."""
    parents, ticks = _read_processes()
    used = dict.fromkeys(roots, 0.0)
    names = {process_id: name for name, process_id in roots.items()}
    for process_id, own in ticks.items():
        above = process_id
        while above and above not in names:
            above = parents.get(above, 0)
        if above:
            used[names[above]] += own / _TICKS_A_SECOND
    return used


def _read_processes() -> tuple[dict[int, int], dict[int, int]]:
    """The parent and the ticks of every process that can be seen."""
    parents, ticks = {}, {}
    for place in Path("/proc").iterdir():
        if not place.name.isdigit():
            continue
        try:
            fields = (place / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
        parents[int(place.name)] = int(fields[_PARENT])
        ticks[int(place.name)] = sum(map(int, fields[_TIMES]))
    return parents, ticks


def statement_counts(database_url: str) -> dict[str, int]:
    """Statements of this database so far by role, BEGIN and COMMIT among them; needs pg_stat_statements."""
    with psycopg.connect(database_url) as owner:
        return {role: int(count) for role, count in owner.execute(_STATEMENTS)}
