"""The entire project: one list of dependencies, floors, layout, and tools without findings."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rattler
import yaml
from packaging.markers import Marker, default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from support.repository_files import repository_files

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TOP = {
    ".ci",
    ".devcontainer",
    ".editorconfig",
    ".env.example",
    ".gitattributes",
    ".github",
    ".gitignore",
    ".pre-commit-config.yaml",
    "LICENSE",
    "Makefile",
    "README.md",
    "coursekit",
    "deploy",
    "environment.yml",
    "exercises",
    "notebooks",
    "pyproject.toml",
    "requirements.lock",
    "solutions",
    "tests",
}
# Hosts that serve packages, and options that name one. Split, so that this file does not name them
# either.
INDEXES = [
    "pypi" + ".org",
    "pythonhosted" + ".org",
    "npmjs" + ".org",
    "anaconda" + ".org",
    "debian" + ".org",
]
INDEX_OPTIONS = re.compile(
    r"--(extra-)?index-"
    r"url|--find-"
    r"links|^\s*index-url\s*=|\[\[tool\.uv\.index",
    re.M,
)


def tracked(*, new: bool = False) -> list[Path]:
    return [ROOT / name for name in repository_files(new=new)]


def texts() -> Iterator[tuple[Path, str]]:
    for path in tracked():
        if path.suffix not in {".png", ".gz", ".npz"}:
            yield path, path.read_text(encoding="utf-8")


def locked() -> dict[str, tuple[Version, str, int]]:
    """For each package in requirements.lock, its version (the one for this machine, if there are
    several), its marker, and its number of hashes.
    """
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    entries = re.findall(
        r"^([\w.-]+)==(\S+)([^\n]*)\n((?:    --hash=sha256:[0-9a-f]{64}.*\n)*)",
        text,
        re.M,
    )
    packages: dict[str, tuple[Version, str, int]] = {}
    for name, version, tail, hashes in entries:
        marker = tail.strip(" ;\\")
        if name not in packages or not marker or Marker(marker).evaluate():
            packages[canonicalize_name(name)] = (
                Version(version),
                marker,
                hashes.count("sha256:"),
            )
    return packages


def wanted() -> list[Requirement]:
    """Every requirement in pyproject.toml, including those of the extras."""
    project = PROJECT["project"]
    lists = [
        project["dependencies"],
        *project["optional-dependencies"].values(),
    ]
    return [Requirement(line) for each in lists for line in each]


# One list of dependencies


def test_the_lock_holds_what_pyproject_asks_for() -> None:
    """For everything that pyproject.toml requires, requirements.lock has a version in range, with
    hashes (if not, run make lock).
    """
    lock = locked()
    for requirement in wanted():
        version, _, _ = lock[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), (
            f"{requirement}, but {version} is locked"
        )
    assert all(hashes for _, _, hashes in lock.values()), (
        "an entry without a hash"
    )


def test_the_lock_is_for_all_platforms() -> None:
    """The lock file is for Linux, macOS, and Windows, not just for the machine on which it was
    made.
    """
    markers = " ".join(marker for _, marker, _ in locked().values())
    assert "win32" in markers
    assert "python_full_version" in markers


def test_conda_gets_the_same_list() -> None:
    """environment.yml lists a Python that pyproject.toml allows, pip, and this project, which
    installs the rest.
    """
    environment = yaml.safe_load(
        (ROOT / "environment.yml").read_text(encoding="utf-8")
    )
    assert set(environment) == {"name", "channels", "dependencies"}
    assert environment["name"] == PROJECT["project"]["name"]
    *specs, with_pip = environment["dependencies"]
    assert with_pip == {"pip": ["-e ."]}
    parsed = {spec.name.normalized: spec for spec in map(_spec, specs)}
    assert set(parsed) == {"python", "pip"}
    python = SpecifierSet(PROJECT["project"]["requires-python"])
    taken = rattler.VersionSpec(parsed["python"].version)
    by_conda = [
        f"3.{minor}.1"
        for minor in range(30)
        if taken.matches(rattler.Version(f"3.{minor}.1"))
    ]
    assert len(by_conda) == 1, (
        "repo2docker takes another Python when it is left to choose"
    )
    assert python.contains(by_conda[0])


def _spec(text: str) -> Any:
    return rattler.MatchSpec(text)  # raises if conda would not understand it


def test_no_file_names_a_package_index() -> None:
    """The machine decides where packages come from: no committed file names an index or a download
    address.
    """
    for path, text in texts():
        assert not [host for host in INDEXES if host in text], path
        assert not INDEX_OPTIONS.search(text), path
    assert ROOT / "uv.lock" not in tracked()


def test_this_environment_is_the_locked_one() -> None:
    """The installed versions are the locked ones, if a package is in both, and setup really used
    the lock file.
    """
    import importlib.metadata as metadata

    here = {
        canonicalize_name(each.metadata["Name"]): Version(each.version)
        for each in metadata.distributions()
    }
    names = {
        canonicalize_name(each.name)
        for each in wanted()
        if not each.marker or each.marker.evaluate(default_environment())
    }
    stray = {
        name: here[name]
        for name in names & here.keys()
        if here[name] != locked()[name][0]
    }
    assert not stray, f"differs from requirements.lock: {stray}"


# Layout and size


def test_the_root_is_a_front_door() -> None:
    """The top level has only what a visitor needs to see."""
    assert {path.relative_to(ROOT).parts[0] for path in tracked()} <= TOP


def test_no_key_is_committed() -> None:
    """No committed file contains something that looks like a real API key."""
    real = re.compile(r"\bsk-(proj-|svcacct-|admin-)?[A-Za-z0-9]{32,}")
    assert not [path for path, text in texts() if real.search(text)]


def test_links_in_readme_and_contributing_lead_somewhere() -> None:
    """Every relative link in the documents leads to a file or folder that is committed or about to
    be.
    """
    known = set(tracked(new=True))
    for page in [
        ROOT / "README.md",
        *(ROOT / ".github").glob("*.md"),
        *(ROOT / "deploy").glob("*.md"),
    ]:
        for target in re.findall(
            r"\]\((?!\w+:|#)([^)#]+)", page.read_text(encoding="utf-8")
        ):
            place = (page.parent / target).resolve()
            assert place in known or any(
                place in path.parents for path in known
            ), f"{page.name}: {target}"


def test_facts_and_mechanisms_are_all_forbidden_the_sdk() -> None:
    """The last contract names every module from the mechanisms' floor down. The one before it
    restricts the offline API, which is on that floor, to facts.
    """
    floors, engine, forbidden = PROJECT["tool"]["importlinter"]["contracts"]
    first = next(
        i for i, floor in enumerate(floors["layers"]) if "offline" in floor
    )
    mechanisms = {
        name.strip() for name in floors["layers"][first].split("|")
    } - {"offline"}
    assert {f"coursekit.{name}" for name in mechanisms} < set(
        engine["forbidden_modules"]
    )
    low = "|".join(floors["layers"][first + 1 :])
    names = {
        name.strip(" ()") for name in low.split("|") if "(" not in name
    } | mechanisms
    assert {
        name.removeprefix("coursekit.") for name in forbidden["source_modules"]
    } == names
