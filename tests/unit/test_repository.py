"""What no linter sees: properties of the committed files themselves."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCK_FILES = ("requirements.lock", "requirements-dev.lock")
# The outermost loop of a process or thread, and whoever must answer for what it calls.
MAY_CATCH_EVERYTHING = {
    ("billing_consumer/consumer.py", "_apply"),
    ("billing_consumer/consumer.py", "_apply_alone"),
    ("bus/rabbit/link.py", "_run"),
    ("cron/runner.py", "_do"),
    ("cron/timekeeping.py", "run"),
    ("integrations/__main__.py", "work"),
    ("integrations/__main__.py", "_start"),
    ("integrations/listening.py", "_handle_alone"),
    ("integrations/listening.py", "_handle_group"),
    ("integrations/search_index/indexer.py", "turn"),
    ("notifications/sending.py", "_deal"),
    ("web/edge.py", "_answer"),
    ("web/waiting.py", "_run"),
}
# A signature of a callback; the token of a form; the password that the twin is given.
MAY_COMPARE_DIGESTS = {
    "admin_api/people/forms.py",
    "providers/cloudpayments/callbacks.py",
    "sandbox/cloudpayments/api.py",
}
# In pieces, so that this file holds none of them whole.
MACHINE_PLACES = ["/".join(parts) for parts in (("", "work", ""), ("", "root", ""), ("", "home", ""))]
REGISTRY_HOSTS = [
    ".".join(parts)
    for parts in (("pypi", "org"), ("pythonhosted", "org"), ("registry", "npmjs", "org"), ("crates", "io"))
]


def committed() -> list[Path]:
    """Every file that git tracks or would track; pictures aside."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
        timeout=30,
    ).stdout
    files = [ROOT / name for name in listed.split("\0") if name and not name.endswith(".png")]
    return [file for file in files if file.is_file()]


def python_files() -> list[tuple[str, ast.Module]]:
    """The product, the twin and the demo; tests may do what they test."""
    names = [file.relative_to(ROOT).as_posix() for file in committed()]
    rooms = [
        name for name in names if name.endswith(".py") and not name.startswith(("tests/", "benchmarks/"))
    ]
    assert len(rooms) > 100
    return [(name, ast.parse((ROOT / name).read_text())) for name in rooms]


def catching_everything(tree: ast.Module) -> Iterator[str]:
    """Names of the functions that hold an `except Exception` or wider and do not pass it on."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.ExceptHandler) and _is_everything(node.type):
                    is_passed_on = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
                    if not is_passed_on:
                        yield function.name


def _is_everything(caught: ast.expr | None) -> bool:
    kinds = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(
        kind is None or (isinstance(kind, ast.Name) and kind.id in ("Exception", "BaseException"))
        for kind in kinds
    )


@pytest.mark.parametrize("name", LOCK_FILES)
def test_lock_file_pins_every_package_by_hash_and_names_no_place(name: str) -> None:
    lines = (ROOT / name).read_text().splitlines()
    packages = [line for line in lines if re.match(r"[a-z0-9]", line)]
    hashes = [line for line in lines if line.lstrip().startswith("--hash=sha256:")]
    assert len(packages) > 30
    assert all(re.match(r"[a-z0-9._-]+(\[[a-z,]+\])?==\S+", line) for line in packages)
    assert len(hashes) >= len(packages)
    # Anything else (an index, a link, a path, an address) would be a place to fetch from.
    others = [line for line in lines if line not in packages and line not in hashes and line.strip()]
    assert [line for line in others if not line.lstrip().startswith("#")] == []
    assert not any("://" in line for line in lines)


def test_development_lock_holds_all_of_the_other_one() -> None:
    """`./run` after `./test` keeps the environment: it must be the same versions."""
    runtime, development = (
        {line.split()[0] for line in (ROOT / name).read_text().splitlines() if re.match(r"[a-z0-9]", line)}
        for name in LOCK_FILES
    )
    assert runtime <= development


def test_no_file_names_a_place_of_one_machine_or_a_package_registry() -> None:
    found = [
        f"{file.relative_to(ROOT)}: {words}"
        for file in committed()
        for words in (*MACHINE_PLACES, *REGISTRY_HOSTS)
        if re.search(rf"(?<![\w.]){re.escape(words)}", file.read_text(errors="replace"))
    ]
    assert found == []


def test_only_outermost_loops_catch_everything() -> None:
    found = {(name, function) for name, tree in python_files() for function in catching_everything(tree)}
    assert found == MAY_CATCH_EVERYTHING


def test_digests_are_compared_only_where_a_secret_is() -> None:
    """A slow comparison elsewhere looks like protection and is none."""
    found = {name for name, _ in python_files() if "compare_digest" in (ROOT / name).read_text()}
    assert found == MAY_COMPARE_DIGESTS
