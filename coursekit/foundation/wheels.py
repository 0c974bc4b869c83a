"""Packages that the browser edition installs when they are first imported."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import Distribution, DistributionFinder
from pathlib import Path
from types import ModuleType
from typing import NamedTuple


class Wheel(NamedTuple):
    """A wheel that can be installed: its package, the file's name, and its top-level modules."""

    name: str
    version: str
    file: str
    modules: Collection[str]


class Available(Distribution):
    """The name and version that ``importlib.metadata`` reports for a wheel that is not installed
    yet.
    """

    def __init__(self, wheel: Wheel) -> None:
        self._wheel = wheel

    def read_text(self, filename: str) -> str | None:
        if filename != "METADATA":
            return None
        return f"Name: {self._wheel.name}\nVersion: {self._wheel.version}\n"

    def locate_file(self, path: str | os.PathLike[str]) -> Path:
        return Path(self._wheel.file, path)


class WheelFinder(DistributionFinder):
    """Installs a wheel when one of its modules is first imported.

    Pyodide loads the packages that a cell imports by name. The packages that coursekit imports only
    when they are used (numpy and matplotlib for a chart, ipywidgets for a lab) make up half of the
    download, so they are loaded here and not before the first reply.

    wheels  the wheels that are not installed
    fetch   returns the content of a wheel's file, synchronously; raises OSError
    folder  where wheels are installed, on ``sys.path``
    """

    def __init__(
        self,
        wheels: Iterable[Wheel],
        fetch: Callable[[str], bytes],
        folder: Path,
    ) -> None:
        self._wheels, self._fetch, self._folder = list(wheels), fetch, folder

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        for wheel in self._wheels:
            if fullname in wheel.modules:
                self._install(wheel)
                return PathFinder.find_spec(fullname, path, target)
        return None

    def find_distributions(
        self, context: DistributionFinder.Context | None = None
    ) -> Iterator[Available]:
        wanted = context.name if context else None
        for wheel in self._wheels:
            if wanted is None or _same_package(wanted, wheel.name):
                yield Available(wheel)

    def _install(self, wheel: Wheel) -> None:
        try:
            content = self._fetch(wheel.file)
        except OSError as error:
            raise ImportError(
                f"{wheel.name} could not be loaded from the course's site: {error}.\n"
                "Check your connection, then run the cell again.",
                name=wheel.name,
            ) from error
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            archive.extractall(self._folder)
        self._wheels.remove(wheel)
        PathFinder.invalidate_caches()


def _same_package(one: str, other: str) -> bool:
    return one.lower().replace("_", "-") == other.lower().replace("_", "-")
