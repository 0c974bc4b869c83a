"""The workflows in .github run only what exists, with few permissions, and come to an end."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PAGES = {"pages": "write", "id-token": "write"}
each_workflow = pytest.mark.parametrize(
    "path", WORKFLOWS, ids=lambda path: path.stem
)


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


@each_workflow
def test_it_runs_what_exists(path: Path) -> None:
    """The files, tests, markers, and extras that a step names exist in the repository."""
    steps = [
        step for job in read(path)["jobs"].values() for step in job["steps"]
    ]
    commands = "\n".join(
        step["run"] for step in steps if "run" in step
    ).replace("\\", "/")
    for name in re.findall(r"(?:tests|coursekit|\.ci)/[\w./]+", commands):
        assert (ROOT / name).exists(), name
    for file, test in re.findall(r"(tests/\w+\.py)::(\w+)", commands):
        assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), test
    markers = {
        line.partition(":")[0]
        for line in PROJECT["tool"]["pytest"]["ini_options"]["markers"]
    }
    assert (
        set(re.findall(r" -m (?!pytest|pip|venv|uv)(\w+)", commands)) <= markers
    )
    extras = set(PROJECT["project"]["optional-dependencies"])
    named = set(re.findall(r"--extra (\w+)", commands))
    named |= {
        extra
        for part in re.findall(r"\.\[([\w,]+)\]", commands)
        for extra in part.split(",")
    }
    assert named <= extras


@each_workflow
def test_it_may_little_and_ends(path: Path) -> None:
    """A workflow can only read, a newer run ends an older one, each job has a time limit, and no
    action follows a branch. A job that does nothing but deploy the site may write pages.
    """
    said = read(path)
    assert said["permissions"] == {"contents": "read"}
    assert said["concurrency"]["cancel-in-progress"] is True
    for job in said["jobs"].values():
        assert job["timeout-minutes"] <= 60
        uses = [step.get("uses", "").partition("@")[0] for step in job["steps"]]
        deploys = uses == ["actions/deploy-pages"]
        assert job.get("permissions") == (PAGES if deploys else None)
        for step in job["steps"]:
            assert re.search(r"@v\d+$", step.get("uses", "@v1"))
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


def test_each_system_has_the_oldest_and_the_newest_python() -> None:
    """The oldest Python is the one that pyproject.toml requires, and all systems test the same two
    versions.
    """
    jobs = read(ROOT / ".github" / "workflows" / "ci.yml")["jobs"]
    pythons = {
        tuple(job["strategy"]["matrix"]["python"])
        for job in jobs.values()
        if "strategy" in job
    }
    [(oldest, newest)] = pythons
    allowed = Requirement(
        f"python{PROJECT['project']['requires-python']}"
    ).specifier
    assert f"{oldest}.0" in allowed
    assert f"3.{int(oldest[2:]) - 1}.9" not in allowed
    assert f"Python {oldest} to {newest}" in (ROOT / "README.md").read_text(
        encoding="utf-8"
    )
