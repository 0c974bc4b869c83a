"""``coursekit doctor`` checks that the course has everything it needs. Works without a network and
never shows a key.

Taught in 00, "Does everything work?".
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
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
        return (
            f"OK   {self.name}: {self.found}"
            if self.ok
            else f"FIX  {self.name}: {self.found} -> {self.cure}"
        )


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
    return "\n".join(
        [f"OK   {well}", *(str(check) for check in found if not check.ok)]
    )


def checks() -> list[Check]:
    """Check everything, in the order in which one thing needs another."""
    looks: dict[str, Callable[[], Check]] = {
        "Python": _python,
        "packages": _packages,
        "kernel": _kernel,
        "notebooks": _notebooks,
        "recordings": _recordings,
        "mode": _mode,
        "speed": _speed,
        "key": _key,
        "models": _models,
        "proxies": _proxies,
        "folder": _folder,
        "local model": _local_model,
        "fallback": _fallback,
        "browser for tests": _browser,
    }
    if IN_BROWSER:
        looks |= {
            name: partial(Check, name, found)
            for name, found in IN_A_BROWSER.items()
        }
    return [look() for look in looks.values()]


def _python() -> Check:
    return Check("Python", ".".join(map(str, sys.version_info[:3])))


def _packages() -> Check:
    try:
        wrong = list(_wrong_packages(metadata.distribution("coursekit")))
    except metadata.PackageNotFoundError:
        wrong = ["coursekit is not installed in this Python"]
    if wrong:
        return Check("packages", "; ".join(wrong), SET_UP)
    named = ["openai"] if IN_BROWSER else ["openai", "jupyterlab"]
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in named)
    return Check("packages", f"all there ({versions})")


def _wrong_packages(course: metadata.Distribution) -> Iterator[str]:
    from packaging.requirements import Requirement

    for requirement in map(Requirement, course.requires or []):
        if requirement.marker and not requirement.marker.evaluate(
            {"extra": ""}
        ):
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            yield f"{requirement.name} is missing"
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            yield f"{requirement.name} is {version}, needed is {requirement.specifier}"


def _kernel() -> Check:
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        spec = KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel:
        return Check("kernel", "Jupyter finds no python3 kernel", SET_UP)
    runs = spec.argv[0]
    if (
        Path(runs).name.startswith("python")
        and Path(runs).is_absolute()
        and not _same_python(runs)
    ):
        cure = (
            f"remove it: {sys.executable} -m jupyter kernelspec remove python3"
        )
        return Check(
            "kernel",
            f"a python3 kernel of another Python ({runs}) is found before this one's",
            cure,
        )
    return Check("kernel", "python3, this Python's own")


def _same_python(program: str) -> bool:
    """Compared without resolving links: those of two virtual environments lead to one Python."""
    return os.path.normcase(os.path.dirname(program)) == os.path.normcase(
        os.path.dirname(sys.executable)
    )


def _notebooks() -> Check:
    root = repository()
    if root is None:
        return Check(
            "notebooks",
            "in the package; `coursekit lab` gives you a copy of your own",
        )
    for lesson in lessons():
        path = root / "notebooks" / f"{lesson.stem}.ipynb"
        try:
            json.loads(path.read_text(encoding="utf-8"))["cells"]
        except (OSError, ValueError, LookupError, TypeError):
            state = "cannot be read" if path.exists() else "is missing"
            return Check(
                "notebooks",
                f"{path.name} {state}",
                f"get it back: git checkout -- notebooks/{path.name}",
            )
    return Check("notebooks", f"{len(lessons())}, all readable")


def _recordings() -> Check:
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
        cure = (
            "git checkout -- coursekit/data/recordings"
            if repository()
            else "install coursekit again"
        )
        return Check(
            "recordings",
            f"{len(damaged)} cannot be read: {', '.join(damaged[:3])}",
            cure,
        )
    if lost := misnamed(paths):
        found = f"{len(lost)} have names that no request finds, such as {lost[0].name}"
        return Check("recordings", found, "run `coursekit record --rename`")
    return Check("recordings", f"{len(paths)}, all readable")


def _mode() -> Check:
    try:
        mode = mode_of(None, settings())
    except ModeError as error:
        return Check(
            "mode",
            str(error).splitlines()[0],
            "set COURSEKIT_MODE, in .env or the environment, to replay",
        )
    if not mode.is_free:
        return Check("mode", f"{mode} (costs money)")
    try:
        joined = membership()
    except ModeError as error:
        return Check("mode", *str(error).split("\n", 1))
    if joined is None:
        return Check("mode", "replay (costs nothing)")
    shared = (
        "; chapter, checks and quiz answers are shared" if joined.share else ""
    )
    return Check(
        "mode",
        f"replay, by the class server at {joined.url} (costs nothing{shared})",
        trouble(joined),
    )


def _speed() -> Check:
    speed = settings().get("COURSEKIT_SPEED") or "1.0"
    try:
        clock_for(speed)
    except ValueError:
        return Check(
            "speed",
            f"COURSEKIT_SPEED={speed} is not a speed",
            "set it to a number above 0, or to instant",
        )
    return Check("speed", speed)


def _key() -> Check:
    if settings().get("OPENAI_API_KEY"):
        return Check("key", "there is one (not shown)")
    try:
        needed = not mode_of(None, settings()).is_free
    except ModeError:
        needed = False  # the mode's own check says so
    cure = (
        "put OPENAI_API_KEY into .env, or set COURSEKIT_MODE=replay"
        if needed
        else ""
    )
    return Check(
        "key", "none" + ("" if needed else "; replay needs none"), cure
    )


def _models() -> Check:
    return Check("models", *course_models(settings()))


def _proxies() -> Check:
    known = {
        name.upper(): url
        for name, url in os.environ.items()
        if name.lower() in PROXIES and url
    }
    if not known:
        return Check("proxies", "none set")
    said = (
        f"{', '.join(sorted(known))} (for live and record mode; a class and this machine are "
        "reached directly)"
    )
    socks = (
        any(url.lower().startswith("socks") for url in known.values())
        and find_spec("socksio") is None
    )
    cure = (
        "for live mode through a SOCKS proxy, pip install socksio, or set an http:// proxy"
        if socks
        else ""
    )
    return Check("proxies", said, cure)


def _folder() -> Check:
    folder = (repository() or Path.cwd()) / (
        "notebooks" if repository() else ""
    )
    try:
        with tempfile.NamedTemporaryFile(dir=folder):
            return Check("folder", "can be written to")
    except OSError as error:
        return Check(
            "folder",
            f"{folder}: {error.strerror}",
            "copy the course to a folder of your own, and start it there",
        )


def _local_model() -> Check:
    from .local import missing, summary

    asked = local_model_of(None, settings()) is not None
    cure = (
        f"run `{INSTALL}`, or remove COURSEKIT_LOCAL"
        if asked and missing()
        else ""
    )
    return Check("local model", summary(), cure)


def _fallback() -> Check:
    from ...offline.fallback import (
        ADDRESS,
        NamedServer,
        fallback_of,
        found_here,
    )

    here = found_here()
    offer = "; ".join(
        f"{kind.name} runs here: {ADDRESS}={kind.name} in .env has it answer"
        for kind in here
    )
    try:
        server = fallback_of(None, None, settings())
    except (ValueError, LocalModelMissing) as error:
        return Check(
            "fallback",
            str(error).splitlines()[0],
            f"correct {ADDRESS} in .env, or leave it out",
        )
    if not isinstance(server, NamedServer):
        return Check(
            "fallback",
            server.name
            if server
            else offer
            or "none (optional; for a model of your own, see the README)",
        )
    try:
        return Check("fallback", f"{server.place().label} at {server.url}")
    except FallbackUnreachable as error:
        what, _, cure = str(error).partition("\n")
        return Check("fallback", what, f"{cure} {offer}".strip())


def _browser() -> Check:
    from ..authoring.chromium import chromium

    found = chromium()
    return Check(
        "browser for tests",
        str(found) if found else "no Chromium (only the browser tests need it)",
    )
