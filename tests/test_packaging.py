"""One list of dependencies: pyproject, the lock, conda's file and the Makefile agree."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = [line for extra in PROJECT["optional-dependencies"].values() for line in extra]
DECLARED = [Requirement(line) for line in PROJECT["dependencies"] + EXTRAS]
LOCK = (ROOT / "requirements.lock").read_text()
BLOCKS = re.findall(r"^\S.*?(?=^\S|\Z)", re.sub(r"^ *#.*\n", "", LOCK, flags=re.MULTILINE), re.MULTILINE | re.DOTALL)
PINS = [Requirement(block.split("\\")[0]) for block in BLOCKS]
OWNERS = {
    *("jupyterlab", "panel", "hvplot", "holoviews", "pandas", "numpy", "scipy"),
    *("yfinance", "polygon-api-client", "papermill", "sqlalchemy", "nbval", "pytest"),
}
TARGETS = ["help", "run", "demo", "test", "check", "lint", "lab", "bench", "soak", "lock", "clean"]


@pytest.mark.parametrize("requirement", DECLARED, ids=str)
def test_every_declared_requirement_is_pinned_in_the_lock_and_satisfied(requirement: Requirement) -> None:
    pinned = [pin for pin in PINS if canonicalize_name(pin.name) == canonicalize_name(requirement.name)]
    versions = [specifier.version for pin in pinned for specifier in pin.specifier]
    assert versions
    assert list(requirement.specifier.filter(versions)) == versions


def test_every_line_of_the_lock_is_one_exact_version_with_hashes() -> None:
    assert [str(pin) for pin in PINS if [specifier.operator for specifier in pin.specifier] != ["=="]] == []
    assert [block for block in BLOCKS if not re.search(r"--hash=sha256:[0-9a-f]{64}\b", block)] == []


def test_the_lock_names_no_index_and_no_address() -> None:
    assert re.findall(r"https?:|index-url|find-links|trusted-host| @ ", LOCK) == []


def test_the_owners_packages_are_plain_dependencies() -> None:
    assert {Requirement(line).name for line in PROJECT["dependencies"]} >= OWNERS


def test_jupyterlab_neither_fetches_news_nor_asks_about_them() -> None:
    installed = Path(sys.prefix) / "share/jupyter/lab/settings/overrides.d/sigmalib.json"
    notification = json.loads(installed.read_text())["@jupyterlab/apputils-extension:notification"]
    assert notification == {"fetchNews": "false", "checkForUpdates": False}


def test_conda_users_get_the_same_python_and_the_same_lock() -> None:
    *conda, from_pip = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    python = next(Requirement(line) for line in conda if line.startswith("python"))
    assert {Requirement(line).name for line in conda} == {"python", "pip"}
    assert python.specifier == SpecifierSet(PROJECT["requires-python"])
    assert from_pip == {"pip": ["-r requirements.lock"]}


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_alone_lists_every_target() -> None:
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^  make (\w+) +\S", listed, re.MULTILINE) == TARGETS


def test_every_target_is_phony_so_that_a_file_of_that_name_cannot_shadow_it() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    assert sorted(phony[1].split()) == sorted(TARGETS)
