"""The stair of ARCHITECTURE.md holds, and `import sigmalib` stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {"IPython", "bokeh", "holoviews", "hvplot", "numba", "pandas", "panel", "scipy", "sqlalchemy"}


def places(found: Callable[[ast.AST], bool], *, but: str = "") -> list[str]:
    """File and line of every node of the library that ``found`` says yes to, the file ``but`` left out."""
    files = [path for path in sorted((ROOT / "sigmalib").rglob("*.py")) if not but or not path.match(but)]
    return [
        f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if found(node)
    ]


def imports_hvplot_pandas(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return "hvplot.pandas" in {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return isinstance(node, ast.Import) and "hvplot.pandas" in {alias.name for alias in node.names}


def test_imports_form_a_stair() -> None:
    lint = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()"]
    ran = subprocess.run([*lint, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_importing_sigmalib_loads_nothing_heavy() -> None:
    code = "import sys, sigmalib; print(*{name.partition('.')[0] for name in sys.modules})"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(ran.stdout.split()) & HEAVY == set()


def test_only_the_extension_imports_hvplot_pandas() -> None:
    """On import it loads scripts from a public host, unless plotting was set up before."""
    assert places(imports_hvplot_pandas, but="sigmalib/views/extension.py") == []


def test_only_the_command_line_prints() -> None:
    assert places(lambda node: isinstance(node, ast.Name) and node.id == "print", but="sigmalib/cli.py") == []


def test_no_except_catches_everything_unnamed() -> None:
    assert places(lambda node: isinstance(node, ast.ExceptHandler) and node.type is None) == []


def test_rooms_that_calculate_read_neither_clock_nor_environment() -> None:
    asked = places(lambda node: isinstance(node, ast.Attribute) and node.attr in {"today", "now", "environ", "getenv"})
    assert [place for place in asked if place.split("/")[1] in {"core", "portfolio", "risk"}] == []


def test_notebooks_pages_and_reports_reach_the_world_through_the_desk() -> None:
    faces = [path for folder in ("notebooks", "dashboards", "reports") for path in (ROOT / folder).rglob("*.*")]
    shown = [path for path in faces if path.suffix in {".py", ".ipynb"} and ".ipynb_checkpoints" not in path.parts]
    assert [str(path) for path in shown if "sigmalib.data" in path.read_text(encoding="utf-8")] == []
