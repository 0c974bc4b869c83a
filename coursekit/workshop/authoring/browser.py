"""``coursekit browser``: the course as a site on which it runs, with nothing to install.

The reading site (``site``) is its front, and the folder ``run`` holds JupyterLite: a JupyterLab
that needs no server, with Pyodide, a Python compiled to WebAssembly, as its kernel. Whatever a
visitor's browser loads is served from the site itself:

    contents     chapters, exercises and solutions as a working copy without outputs
    interpreter  Pyodide's npm package, pinned in deploy/browser/package-lock.json
    wheels       coursekit's own, and those of deploy/browser/requirements.lock
    COMPILED     wheels that PyPI does not have for WebAssembly, from Pyodide's own distribution,
                 checked by the SHA-256 that the interpreter's package names
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...course import DATA
from ...foundation.files import write_atomically
from .. import CommandError, repository_or_error
from ..commands.working_copy import update_copy
from .site import site

HTML = Path("build", "browser")  # in the repository, ignored by git
# what was downloaded, for the next build
TOOLS = Path("build", "browser-tools")
PINNED = Path("deploy", "browser")
RUNS = "run"  # the folder of JupyterLite within the site
DISTRIBUTION = "https://cdn.jsdelivr.net/pyodide/v{version}/full/{file}"
LOCK = "pyodide-lock.json"
LIBRARY = "python_stdlib.zip"
INTERPRETER = (
    "pyodide.mjs",
    "pyodide.asm.mjs",
    "pyodide.asm.wasm",
    LIBRARY,
    LOCK,
)
COMPILED = ("kiwisolver", "matplotlib", "numpy", "pillow")
FOR_PYODIDE = (
    "--platform=pyemscripten_2026_0_wasm32",
    "--python-version=3.14",
    "--implementation=cp",
    "--only-binary=:all:",
)
MARKERS = {  # what requirements are evaluated for
    "sys_platform": "emscripten",
    "platform_system": "Emscripten",
    "platform_machine": "wasm32",
    "os_name": "posix",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "python_version": "3.14",
    "python_full_version": "3.14.2",
    "extra": "",
}
# The kernel loads these before its first cell. It would install jedi, 5 MB that complete names in
# code that has not run; an empty package of the name leaves that to IPython.
KERNEL = (
    "piplite",
    "micropip",
    "ipykernel",
    "comm",
    "pyodide-kernel",
    "ipython",
    "jedi",
)
EMPTY = "jedi"
# What coursekit needs for a first reply, besides the kernel's own.
FIRST = ("genai-prices", "openai", "platformdirs", "python-dotenv")
SETTINGS = {
    "jupyter-lite-schema-version": 0,
    "jupyter-config-data": {
        "appName": "Chat Completions, hands on",
        "exposeAppInBrowser": True,
        "disabledExtensions": ["@jupyterlab/extensionmanager-extension"],
        "litePluginSettings": {
            "@jupyterlite/pyodide-kernel-extension:kernel": {
                "disablePyPIFallback": True,
                "loadPyodideOptions": {"packages": list(KERNEL)},
            }
        },
    },
}
# JupyterLite's front page leads to an empty JupyterLab: ours leads to the first notebook.
OPEN_FIRST = (
    "await import('./config-utils.js')",
    "location.replace('lab/index.html?path=notebooks/00_start_here.ipynb')",
)
SAVE_TEXT = """# Save your work

Your notebooks and your passed checks are kept in this browser, on this computer. If you clear the
browser's data for this site, they are gone. Run the next cell (Shift+Enter) and follow the link to
download them all as one ZIP file.

To go on with them on a computer with the course: unpack the file into a folder `coursekit-course`
in the course's folder, and run `coursekit lab`."""
SAVE_CODE = "from coursekit.workshop.commands.download import download_work\n\ndownload_work()"
SAVE = {
    "cells": [
        {
            "cell_type": "markdown",
            "id": "why",
            "metadata": {},
            "source": SAVE_TEXT,
        },
        {
            "cell_type": "code",
            "id": "download",
            "metadata": {},
            "source": SAVE_CODE,
            "outputs": [],
            "execution_count": None,
        },
    ],
    "metadata": {
        "kernelspec": {
            "display_name": "Python 3",
            "language": "python",
            "name": "python3",
        },
        "language_info": {"name": "python"},
    },
    "nbformat": 4,
    "nbformat_minor": 5,
}


def browser(to: str | None = None, pyodide: str | None = None) -> int:
    """Build the site into the folder ``to``, new or empty (default: build/browser, replaced).

    pyodide  a folder with Pyodide's distribution, instead of the pinned package and of downloads;
             the pyodide-lock.json in it names its wheels and their checksums

    Returns the exit code. Raises CommandError without the repository or the extra ``browser``, for
    a folder that holds something, and for a download that fails or is not what was pinned.
    """
    root = repository_or_error()
    if find_spec("jupyterlite_pyodide_kernel") is None:
        raise CommandError(
            "The tools of the browser edition are not installed. Run `make browser`, or: "
            "pip install -e '.[site,browser]'"
        )
    built = Path(to) if to else root / HTML
    if to is None:
        shutil.rmtree(built, ignore_errors=True)
    if code := site(str(built), runs=RUNS):
        return code
    jupyterlite(root, built / RUNS, Path(pyodide) if pyodide else None)
    print(
        f"The course runs from {built}: python -m http.server --directory {built}"
    )
    return 0


def jupyterlite(root: Path, to: Path, distribution: Path | None = None) -> None:
    """Build the part that runs, in the new folder ``to``; raises CommandError.

    distribution  a folder with Pyodide; None: the pinned one
    """
    tools = root / TOOLS
    tools.mkdir(parents=True, exist_ok=True)
    distribution = distribution or _npm_package(root, tools)
    wheels = [
        *_compiled(distribution, tools),
        *_downloaded(root, tools),
        *_kernel_wheels(),
    ]
    with tempfile.TemporaryDirectory() as place:
        lite = Path(place)
        update_copy(root, lite / "files")
        (lite / "files" / "save_your_work.ipynb").write_text(
            json.dumps(SAVE), encoding="utf-8"
        )
        wheels.append(_coursekit(root, lite))
        library, *wheels = compiled(
            root,
            distribution,
            [distribution / LIBRARY, *wheels],
            tools / "compiled",
        )
        kernel = lite / "static" / "pyodide"
        lay_out_kernel(distribution, wheels, kernel)
        shutil.copy(library, kernel)
        _run(
            [sys.executable, "-m", "jupyterlite_core", "build"],
            _configured(root, lite, to),
        )
    front = to / "index.html"
    front.write_text(
        front.read_text(encoding="utf-8").replace(*OPEN_FIRST), encoding="utf-8"
    )


def compiled(
    root: Path, distribution: Path, archives: list[Path], folder: Path
) -> list[Path]:
    """The wheels and ZIP files with their modules compiled, in ``folder``, which keeps them.

    A page imports compiled modules in less than half of the time. Only the Python that imports them
    can compile them: Pyodide itself, in Node.js. Raises CommandError where there is none.
    """
    script = root / PINNED / "compile.py"
    compiler = (
        script.read_bytes() + (distribution / "package.json").read_bytes()
    )
    kept = {}
    for archive in archives:
        digest = hashlib.sha256(compiler + archive.read_bytes()).hexdigest()
        kept[archive] = folder / digest[:16] / archive.name
    new = {
        archive: path for archive, path in kept.items() if not path.is_file()
    }
    if not new:
        return list(kept.values())
    node = shutil.which("node")
    if node is None:
        raise CommandError(
            "Python's modules are compiled with Node.js, and this machine has none. Install it, "
            "and build again."
        )
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        sources, made = Path(place, "sources"), Path(place, "made")
        sources.mkdir()
        made.mkdir()
        for archive in new:
            shutil.copy(archive, sources)
        folders = map(str, (distribution, sources, made))
        _run([node, str(script.with_suffix(".mjs")), *folders], root)
        for archive, path in new.items():
            path.parent.mkdir(exist_ok=True)
            (made / archive.name).replace(path)
    return list(kept.values())


def lay_out_kernel(distribution: Path, wheels: list[Path], to: Path) -> None:
    """The interpreter and the wheels in the new folder ``to``, with the lock file that names them.

    By that file ``from coursekit import ...`` in a cell loads coursekit and what it needs for a
    first reply. The rest is loaded when it is imported (``foundation.platform``).
    """
    to.mkdir(parents=True)
    for name in INTERPRETER:
        shutil.copy(distribution / name, to)
    _empty_wheel(EMPTY, to)
    for wheel in wheels:
        shutil.copy(wheel, to)
    lock = json.loads((to / LOCK).read_text(encoding="utf-8"))
    packages = {
        package["name"]: package
        for package in map(_package, sorted(to.glob("*.whl")))
    }
    for package in packages.values():
        package["depends"] = [
            name for name in package["depends"] if name in packages
        ]
    written = json.dumps({"info": lock["info"], "packages": packages}, indent=1)
    (to / LOCK).write_text(written, encoding="utf-8")


def _npm_package(root: Path, tools: Path) -> Path:
    """Pyodide's npm package, installed where it is not yet: the pinned one, by its integrity."""
    package = tools / "node_modules" / "pyodide"
    pinned = (root / PINNED / "package-lock.json").read_text(encoding="utf-8")
    installed = tools / "package-lock.json"
    if package.is_dir() and installed.read_text(encoding="utf-8") == pinned:
        return package
    npm = shutil.which("npm")
    if npm is None:
        raise CommandError(
            "Pyodide is an npm package, and this machine has no npm. Install Node.js, or name a "
            "folder with Pyodide's distribution: coursekit browser --pyodide FOLDER"
        )
    shutil.copy(root / PINNED / "package.json", tools)
    write_atomically(installed, pinned)
    _run([npm, "ci", "--ignore-scripts", "--silent"], tools)
    return package


def _downloaded(root: Path, tools: Path) -> list[Path]:
    """The wheels of requirements.lock, downloaded where they are not yet."""
    pinned = (root / PINNED / "requirements.lock").read_text(encoding="utf-8")
    folder = tools / "wheels"
    done = folder / "requirements.lock"
    if not done.is_file() or done.read_text(encoding="utf-8") != pinned:
        shutil.rmtree(folder, ignore_errors=True)
        pip = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
        ]
        _run(
            [
                *pip,
                "--no-deps",
                "--require-hashes",
                *FOR_PYODIDE,
                "--dest",
                str(folder),
                "--requirement",
                str(root / PINNED / "requirements.lock"),
            ],
            root,
        )
        write_atomically(done, pinned)
    return sorted(folder.glob("*.whl"))


def _compiled(distribution: Path, tools: Path) -> Iterator[Path]:
    """The wheels ``COMPILED``, from the distribution's folder or from its site."""
    lock = json.loads((distribution / LOCK).read_text(encoding="utf-8"))[
        "packages"
    ]
    version = json.loads(
        (distribution / "package.json").read_text(encoding="utf-8")
    )["version"]
    for package in (lock[name] for name in COMPILED):
        file = distribution / package["file_name"]
        if not file.is_file():
            file = tools / package["file_name"]
        if not file.is_file():
            _download(
                DISTRIBUTION.format(version=version, file=file.name), file
            )
        if hashlib.sha256(file.read_bytes()).hexdigest() != package["sha256"]:
            raise CommandError(
                f"{file} is not what {LOCK} of Pyodide {version} names: another SHA-256. "
                "Delete the file, and build again."
            )
        yield file


def _download(url: str, to: Path) -> None:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            content = answer.read()
    except (OSError, urllib.error.URLError) as error:
        raise CommandError(
            f"{url} could not be downloaded: {error}. Build where it can be reached, or name a "
            "folder with Pyodide's distribution: coursekit browser --pyodide FOLDER"
        ) from error
    to.write_bytes(content)


def _kernel_wheels() -> list[Path]:
    """The wheels of the kernel itself, which its package contains."""
    kernel = Path(
        sys.prefix, "share", "jupyter", "labextensions", "@jupyterlite"
    )
    found = kernel.glob("pyodide-kernel-extension/static/pypi/*.whl")
    return [
        wheel
        for wheel in found
        if not wheel.name.startswith("widgetsnbextension")
    ]


def _coursekit(root: Path, to: Path) -> Path:
    """coursekit's own wheel, made in the folder ``to``."""
    _run(
        [
            sys.executable,
            "-m",
            "hatchling",
            "build",
            "--target",
            "wheel",
            "--directory",
            str(to),
        ],
        root,
    )
    return next(to.glob("coursekit-*.whl"))


def _empty_wheel(name: str, folder: Path) -> None:
    about = f"{name}-0-py3-none-any.whl"
    with zipfile.ZipFile(folder / about, "w") as wheel:
        info = f"{name}-0.dist-info"
        wheel.writestr(
            f"{info}/METADATA",
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 0\n",
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


def _package(wheel: Path) -> dict[str, Any]:
    """A wheel's entry in Pyodide's lock file; it depends on everything it requires there."""
    from email import message_from_bytes

    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        about = next(
            name for name in names if name.endswith(".dist-info/METADATA")
        )
        metadata = message_from_bytes(archive.read(about))
    needs = [
        Requirement(text) for text in metadata.get_all("Requires-Dist", [])
    ]
    depends = [
        need.name
        for need in needs
        if not need.marker or need.marker.evaluate(MARKERS)
    ]
    name = canonicalize_name(metadata["Name"])
    if name == "coursekit":
        depends = list(FIRST)
    top = {file.partition("/")[0].removesuffix(".py") for file in names}
    return {
        "name": name,
        "version": metadata["Version"],
        "file_name": wheel.name,
        "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
        "install_dir": "site",
        "package_type": "package",
        "imports": sorted(name for name in top if name.isidentifier()),
        "depends": sorted({canonicalize_name(name) for name in depends}),
        "unvendored_tests": False,
    }


def _configured(root: Path, lite: Path, to: Path) -> Path:
    """Write JupyterLite's settings into its folder ``lite``, which is returned."""
    build = {
        "LiteBuildConfig": {
            "apps": ["lab"],
            "output_dir": str(to),
            "no_sourcemaps": True,
        },
        "FederatedExtensionAddon": {
            "extra_labextensions_path": [
                str(DATA / "jupyter" / "labextensions"),
                str(root / PINNED / "labextensions"),
            ]
        },
    }
    overrides = (
        DATA / "jupyter" / "labconfig" / "default_setting_overrides.json"
    )
    shutil.copy(overrides, lite / "overrides.json")
    (lite / "jupyter_lite_config.json").write_text(
        json.dumps(build), encoding="utf-8"
    )
    (lite / "jupyter-lite.json").write_text(
        json.dumps(SETTINGS), encoding="utf-8"
    )
    return lite


def _run(command: list[str], folder: Path) -> None:
    """Run a tool; raises CommandError with what it has printed where it fails."""
    ran = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False
    )
    if ran.returncode:
        printed = (ran.stdout + ran.stderr).strip()[-2000:]
        raise CommandError(f"{' '.join(command[:4])} failed:\n{printed}")
