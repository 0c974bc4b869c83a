"""``coursekit doctor`` checks that the course has everything it needs. Works without a network and
never shows a key.

Taught in 00, "Does everything work?".
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from ...classroom import trouble
from ...course import lessons, recording_folders, repository
from ...foundation.platform import IN_BROWSER
from ...local_model import local_model_of
from ...local_model.llama import INSTALL, LocalModelMissing
from ...membership import membership
from ...offline.clock import clock_for
from ...offline.fallback import FallbackUnreachable
from ...offline.recordings import DamagedRecording, read
from ...settings import ModeError, mode_of, settings
from ..authoring.rename import misnamed
from ..authoring.served_models import course_models

IN_A_BROWSER = {  # checks of one's own computer, and what is true in the browser edition instead
    "kernel": "Pyodide, in this page",
    "proxies": "the browser's own",
    "local model": "not available in a browser",
    "fallback": "not available in a browser",
    "browser for tests": "not needed in a browser",
}
Finding = tuple[str, str]  # what was found, how to fix it
PROXIES = {"http_proxy", "https_proxy", "all_proxy"}
SET_UP = "run `make lab` again (Windows: `uv run coursekit lab`), or install coursekit again"


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what was ``found``, and how to fix it (``cure``, "" if nothing is wrong)."""

    name: str
    found: str
    cure: str = ""

    @property
    def ok(self) -> bool:
        return not self.cure

    def __str__(self) -> str:
        if self.ok:
            return f"OK   {self.name}: {self.found}"
        return f"FIX  {self.name}: {self.found} -> {self.cure}"


def doctor(*, brief: bool = False) -> int:
    """Print every check, or with ``brief`` only the problems. Returns 1 if there is a problem,
    otherwise 0.
    """
    found = checks()
    print(summary(found) if brief else "\n".join(map(str, found)))
    return 0 if all(check.ok for check in found) else 1


def summary(found: list[Check]) -> str:
    """Text that is the same on every machine without problems: no version, path or setting."""
    well = ", ".join(check.name for check in found if check.ok)
    problems = [str(check) for check in found if not check.ok]
    return "\n".join([f"OK   {well}", *problems])


def checks() -> list[Check]:
    """Check everything, each thing after those it depends on."""
    return [
        Check(name, IN_A_BROWSER[name])
        if IN_BROWSER and name in IN_A_BROWSER
        else Check(name, *look())
        for name, look in LOOKS.items()
    ]


# Each of these returns what it has found, and how to fix it: "" if nothing is wrong.


def _python() -> Finding:
    return ".".join(map(str, sys.version_info[:3])), ""


def _packages() -> Finding:
    try:
        wrong = list(_wrong_packages(metadata.distribution("coursekit")))
    except metadata.PackageNotFoundError:
        wrong = ["coursekit is not installed in this Python"]
    if wrong:
        return "; ".join(wrong), SET_UP
    named = ["openai"] if IN_BROWSER else ["openai", "jupyterlab"]
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in named)
    return f"all there ({versions})", ""


def _wrong_packages(course: metadata.Distribution) -> Iterator[str]:
    from packaging.requirements import Requirement

    for requirement in map(Requirement, course.requires or []):
        marker = requirement.marker
        if marker and not marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            yield f"{requirement.name} is missing"
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            yield f"{requirement.name} is {version}, but {requirement.specifier} is needed"


def _kernel() -> Finding:
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        program = KernelSpecManager().get_kernel_spec("python3").argv[0]
    except NoSuchKernel:
        return "Jupyter finds no python3 kernel", SET_UP
    path, ours = Path(program), Path(sys.executable)
    is_python = path.name.startswith("python") and path.is_absolute()
    # links are not resolved: those of two virtual environments lead to one Python
    if is_python and path.parent != ours.parent:
        return (
            f"a python3 kernel of another Python ({program}) is found before this one's",
            f"remove it: {sys.executable} -m jupyter kernelspec remove python3",
        )
    return "python3, this Python's own", ""


def _notebooks() -> Finding:
    root = repository()
    if root is None:
        return (
            "in the package; `coursekit lab` gives you a copy of your own",
            "",
        )
    for lesson in lessons():
        path = root / "notebooks" / f"{lesson.stem}.ipynb"
        try:
            json.loads(path.read_text(encoding="utf-8"))["cells"]
        except (OSError, ValueError, LookupError, TypeError):
            state = "cannot be read" if path.exists() else "is missing"
            return (
                f"{path.name} {state}",
                f"get it back: git checkout -- notebooks/{path.name}",
            )
    return f"{len(lessons())}, all readable", ""


def _recordings() -> Finding:
    paths = [
        path
        for folder in recording_folders()
        for path in sorted(folder.glob("*.json"))
    ]
    damaged = []
    for path in paths:
        try:
            read(path)
        except DamagedRecording:
            damaged.append(f"{path.parent.name}/{path.name}")
    if damaged:
        return (
            f"{len(damaged)} cannot be read: {', '.join(damaged[:3])}",
            "git checkout -- coursekit/data/recordings"
            if repository()
            else "install coursekit again",
        )
    if lost := misnamed(paths):
        return (
            f"{len(lost)} have names that no request finds, such as {lost[0].name}",
            "run `coursekit record --rename`",
        )
    return f"{len(paths)}, all readable", ""


def _mode() -> Finding:
    try:
        mode = mode_of(None, settings())
    except ModeError as error:
        return (
            str(error).splitlines()[0],
            "set COURSEKIT_MODE, in .env or the environment, to replay",
        )
    if not mode.is_free:
        return f"{mode} (costs money)", ""
    try:
        joined = membership()
    except ModeError as error:
        found, cure = str(error).split("\n", 1)
        return found, cure
    if joined is None:
        return "replay (costs nothing)", ""
    shared = (
        "; chapter, checks and quiz answers are shared" if joined.share else ""
    )
    return (
        f"replay, by the class server at {joined.url} (costs nothing{shared})",
        trouble(joined),
    )


def _speed() -> Finding:
    speed = settings().get("COURSEKIT_SPEED") or "1.0"
    try:
        clock_for(speed)
    except ValueError:
        return (
            f"COURSEKIT_SPEED={speed} is not a speed",
            "set it to a number above 0, or to instant",
        )
    return speed, ""


def _key() -> Finding:
    if settings().get("OPENAI_API_KEY"):
        return "there is one (not shown)", ""
    with contextlib.suppress(ModeError):  # the mode's own check says so
        if not mode_of(None, settings()).is_free:
            return (
                "none",
                "put OPENAI_API_KEY into .env, or set COURSEKIT_MODE=replay",
            )
    return "none; replay needs none", ""


def _proxies() -> Finding:
    proxies = {
        name.upper(): url
        for name, url in os.environ.items()
        if name.lower() in PROXIES and url
    }
    if not proxies:
        return "none set", ""
    is_socks = any(url.lower().startswith("socks") for url in proxies.values())
    cure = ""
    if is_socks and find_spec("socksio") is None:
        cure = "for live mode through a SOCKS proxy, pip install socksio, or set an http:// proxy"
    names = ", ".join(sorted(proxies))
    use = "for live and record mode; a class and this machine are reached directly"
    return f"{names} ({use})", cure


def _folder() -> Finding:
    root = repository()
    folder = root / "notebooks" if root else Path.cwd()
    try:
        with tempfile.NamedTemporaryFile(dir=folder):
            return "can be written to", ""
    except OSError as error:
        return (
            f"{folder}: {error.strerror}",
            "copy the course to a folder of your own, and start it there",
        )


def _local_model() -> Finding:
    from .local import missing, summary

    is_wanted = local_model_of(None, settings()) is not None
    if is_wanted and missing():
        return summary(), f"run `{INSTALL}`, or remove COURSEKIT_LOCAL"
    return summary(), ""


def _fallback() -> Finding:
    from ...offline.fallback import (
        ADDRESS,
        NamedServer,
        fallback_of,
        found_here,
    )

    offer = "; ".join(
        f"{kind.name} runs here: {ADDRESS}={kind.name} in .env lets it answer"
        for kind in found_here()
    )
    try:
        server = fallback_of(None, None, settings())
        if isinstance(server, NamedServer):
            return f"{server.place().label} at {server.url}", ""
    except FallbackUnreachable as error:
        found, _, cure = str(error).partition("\n")
        return found, f"{cure} {offer}".strip()
    except (ValueError, LocalModelMissing) as error:
        return (
            str(error).splitlines()[0],
            f"correct {ADDRESS} in .env, or leave it out",
        )
    none = "none (optional; for a model of your own, see the README)"
    return server.name if server else offer or none, ""


def _browser() -> Finding:
    from ..authoring.chromium import chromium

    missing = "no Chromium (only the browser tests need it)"
    return str(chromium() or missing), ""


LOOKS: dict[str, Callable[[], Finding]] = {
    "Python": _python,
    "packages": _packages,
    "kernel": _kernel,
    "notebooks": _notebooks,
    "recordings": _recordings,
    "mode": _mode,
    "speed": _speed,
    "key": _key,
    "models": lambda: course_models(settings()),
    "proxies": _proxies,
    "folder": _folder,
    "local model": _local_model,
    "fallback": _fallback,
    "browser for tests": _browser,
}
