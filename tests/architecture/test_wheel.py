"""The wheel: built from the sdist, it holds the package and its data, and nothing else."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tarfile
import zipfile

import pytest
import statebook

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(root, tmp_path_factory):
    """The folder with the sdist and the wheel that was built from it."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--outdir", str(out)]
    if importlib.util.find_spec("hatchling"):
        command.append("--no-isolation")
    done = subprocess.run([*command, str(root)], capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return out


@pytest.fixture(scope="module")
def wheel(built):
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def test_the_wheel_is_pure_and_carries_the_version(built):
    assert [path.name for path in built.glob("*.whl")] == [f"statebook-{statebook.__version__}-py3-none-any.whl"]


def test_the_wheel_holds_every_file_of_the_package(wheel, tracked):
    wanted = {path.relative_to("kernel_ext").as_posix() for path in tracked if path.parts[0] == "kernel_ext"}
    assert wanted - set(wheel.namelist()) == set()
    assert "statebook/py.typed" in wanted


def test_the_wheel_holds_nothing_else(wheel):
    info = f"statebook-{statebook.__version__}"
    allowed = ("statebook/", f"{info}.dist-info/", f"{info}.data/data/share/jupyter/", f"{info}.data/data/etc/jupyter/")
    strangers = [name for name in wheel.namelist() if not name.startswith(allowed)]
    caches = [name for name in wheel.namelist() if "__pycache__" in name or name.endswith((".duckdb", ".wal"))]
    assert (strangers, caches) == ([], [])


def test_the_wheel_tells_pip_what_it_needs_to_know(wheel):
    info = f"statebook-{statebook.__version__}.dist-info"
    entry_points = wheel.read(f"{info}/entry_points.txt").decode()
    assert "statebook = statebook.cli:main" in entry_points
    assert "offline = statebook.model.offline:create" in entry_points
    assert f"{info}/licenses/LICENSE" in wheel.namelist()
    assert "Requires-Python: >=3.11" in wheel.read(f"{info}/METADATA").decode()


def test_the_sdist_holds_what_a_tester_needs(built):
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "tests/architecture/conftest.py"} <= inside
