"""The wheel, installed in an environment of its own outside the checkout: it is whole, and its commands run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pydicom
import pytest

ROOT = Path(__file__).parents[2]
SHIPPED = (
    ("rtseg", "**/*.py"),
    ("rtseg", "py.typed"),
    ("rtseg", "report/*.html*"),
    ("rtseg", "models/*/*"),
    ("rtseg", "demo_data/**/*"),
    ("configs", "__init__.py"),
    ("configs", "**/*.yaml"),
)
"""Folder of the checkout and what of it the wheel must hold."""


def run(*command: str | Path, cwd: Path) -> str:
    """Standard output of a command that must succeed, in plain words and without the checkout in sight."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(command, cwd=cwd, env=env | {"COLUMNS": "200"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree, built without network from a copy, so that no older build directory can leak into it."""
    source = tmp_path_factory.mktemp("source")
    for folder in ("rtseg", "configs"):
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "THIRD_PARTY.md"):
        shutil.copy(ROOT / name, source)
    target = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-index", "--no-deps", "--no-build-isolation")
    run(*pip, "--wheel-dir", target, source, cwd=target)
    return next(target.glob("rtseg-*.whl"))


@pytest.fixture(scope="module")
def elsewhere(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel in it, which sees the dependencies of the running one but not its rtseg."""
    venv = tmp_path_factory.mktemp("elsewhere") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", venv, cwd=venv.parent)
    pip = (sys.executable, "-m", "pip", "--python", venv / "bin" / "python", "install", "--quiet", "--no-index", "--no-deps")
    run(*pip, wheel, cwd=venv.parent)
    own = Path(
        run(venv / "bin" / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=venv.parent).strip()
    )
    theirs = [path for path in sys.path if Path(path).name in {"site-packages", "dist-packages"}]
    (own / "dependencies.pth").write_text("\n".join(theirs) + "\n")
    return venv


def python(venv: Path, program: str) -> str:
    return run(venv / "bin" / "python", "-c", program, cwd=venv.parent).strip()


def test_the_wheel_holds_what_ships(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    for folder, pattern in SHIPPED:
        for path in (ROOT / folder).glob(pattern):
            if path.is_file() and "__pycache__" not in path.parts:
                name = path.relative_to(ROOT).as_posix()
                assert (f"rtseg/{name}" if folder == "configs" else name) in inside


def test_the_wheel_holds_its_licences_and_nothing_beside_rtseg(wheel: Path) -> None:
    inside = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in inside}

    assert {name.split("/")[-1] for name in inside if "/licenses/" in name} == {"LICENSE", "THIRD_PARTY.md"}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"rtseg"}


def test_it_is_the_wheel_that_runs(elsewhere: Path) -> None:
    assert Path(python(elsewhere, "import rtseg; print(rtseg.__file__)")).is_relative_to(elsewhere)


def test_code_finds_the_configs(elsewhere: Path) -> None:
    program = (
        "from importlib.resources import files; print(*(path.as_posix() for path in files('rtseg.configs').glob('*/*.yaml')))"
    )
    there = {"/".join(Path(path).parts[-2:]) for path in python(elsewhere, program).split()}
    here = {path.relative_to(ROOT / "configs").as_posix() for path in (ROOT / "configs").glob("*/*.yaml")}

    assert there == here


def test_help_and_models_answer(elsewhere: Path) -> None:
    rtseg = elsewhere / "bin" / "rtseg"
    shipped = [path.parent.name for path in (ROOT / "rtseg" / "models").glob("*/system.yaml")]
    models = run(rtseg, "models", cwd=elsewhere.parent)

    assert "contour" in run(rtseg, "--help", cwd=elsewhere.parent)
    assert [name for name in shipped if name not in models] == []


@pytest.mark.conformance
def test_demo_makes_a_structure_set(elsewhere: Path, tmp_path: Path) -> None:
    run(elsewhere / "bin" / "rtseg", "demo", "--output", tmp_path / "demo", cwd=elsewhere.parent)
    written = [pydicom.dcmread(path, stop_before_pixels=True) for path in (tmp_path / "demo").rglob("*.dcm")]

    assert [dataset for dataset in written if dataset.Modality == "RTSTRUCT" and len(dataset.ROIContourSequence) > 0]
