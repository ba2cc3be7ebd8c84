"""What goes into the image: every process starts from it, and nothing is in it that should stay outside."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.gateway import fill_in
from tests.integration.deploy.conftest import ROOT

# Plays the demo's story against a running stack; no process of the stack calls it.
LEFT_OUT = {"demo"}
IMPORT_ALL = """
import importlib, sys
tree, checkout, *names = sys.argv[1:]
sys.path = [tree, *(place for place in sys.path if place not in ("", checkout))]
for name in names:
    importlib.import_module(name)
print(sorted({module.__file__ for module in sys.modules.values() if getattr(module, "__file__", None)}))
"""


def _taken() -> list[str]:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in lines
    return [line[1:] for line in lines if line.startswith("!")]


def test_image_has_every_package_of_the_product() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    assert packages - LEFT_OUT <= set(_taken())
    assert not {
        name for name in _taken() if name.split("/")[0] in ("secrets", ".env", "tests", ".git", *LEFT_OUT)
    }


def test_every_process_can_be_imported_from_what_is_copied(stack: dict[str, Any], tmp_path: Path) -> None:
    for name in _taken():
        source, copy = ROOT / name, tmp_path / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, copy) if source.is_dir() else shutil.copyfile(source, copy)
    words = [one["command"] for one in stack["services"].values() if one["image"].startswith("billbus:")]
    modules = {command[2] for command in words if command[:2] == ["python", "-m"]}
    names = {name if name.endswith(".setup") else f"{name}.__main__" for name in modules}
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, tmp_path, ROOT, "cli.main", "runtime.health", *sorted(names)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    outside = re.compile(rf"'{re.escape(str(ROOT))}/(?!\.venv/)[^']*'")
    assert outside.findall(done.stdout) == []


def test_folders_of_volumes_are_made_for_the_images_user(stack: dict[str, Any]) -> None:
    made = set(re.findall(r"(?<= )/\w+", "".join(re.findall(r"install --directory .*", _dockerfile()))))
    mounted = {
        volume["target"]
        for one in stack["services"].values()
        if one["image"].startswith("billbus:")
        for volume in one.get("volumes", [])
        if volume["type"] == "volume"
    }
    # The challenges are written by certbot, under the same user.
    assert made == mounted | {"/acme"}


def test_image_and_compose_agree_on_the_user(stack: dict[str, Any]) -> None:
    assert re.findall(r"^USER (.*)$", _dockerfile(), re.MULTILINE) == ["10001:10001"]
    assert {stack["services"][name]["user"] for name in ("client_api", "nginx", "certbot")} == {"10001:10001"}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("${GATEWAY_ONE} $GATEWAY_ONE;", "1 1;"),
        ("$host ${host} $GATEWAY_NONE ${GATEWAY_NONE}", "$host ${host} $GATEWAY_NONE ${GATEWAY_NONE}"),
        ("$GATEWAY_ONEX $HOME ${GATEWAY_EMPTY}.", "$GATEWAY_ONEX $HOME ."),
    ],
)
def test_template_is_filled_as_the_image_does(text: str, filled: str) -> None:
    assert fill_in(text, {"GATEWAY_ONE": "1", "GATEWAY_EMPTY": "", "HOME": "/", "host": "x"}) == filled


def _dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text(encoding="utf-8")
