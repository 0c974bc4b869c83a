"""``make browser``: the course as a site that runs it, with nothing to install.

The front page and the pages to read are those of ``reading_site``. The folder ``run`` contains
JupyterLite, a JupyterLab that does not need a server; its kernel is Pyodide, a Python compiled to
WebAssembly. Visitors' browsers load everything from the site itself:

    contents     chapters, exercises, and solutions, as a working copy without outputs
    interpreter  Pyodide's npm package, pinned in deploy/browser/package-lock.json
    wheels       coursekit's own and those in deploy/browser/requirements.lock
    COMPILED     wheels for WebAssembly that PyPI does not have, from Pyodide's own distribution,
                 checked with the SHA-256 in the interpreter's package
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from collections.abc import Iterator
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from coursekit.course import DATA
from coursekit.workshop import CommandError
from coursekit.workshop.commands.working_copy import update_copy
from reading_site import ROOT, site

PINNED = Path(__file__).parent
HTML = ROOT / "build" / "browser"  # ignored by git
# downloads and compiled files, for the next build
TOOLS = ROOT / "build" / "browser-tools"
RUNS = "run"  # JupyterLite's folder in the site
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
DOWNLOAD = (
    sys.executable,
    *("-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
    *("--no-deps", "--require-hashes", "--only-binary=:all:"),
    *("--platform=pyemscripten_2026_0_wasm32", "--implementation=cp"),
    "--python-version=3.14",
)
MARKERS = {  # the platform for which requirements are evaluated
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
# Replaced by an empty package. The kernel would install 5 MB to complete names in code that has not
# run; IPython completes the others by itself.
EMPTY = "jedi"
# What coursekit needs for a first reply, in addition to the kernel's own packages.
FIRST = ("genai-prices", "openai", "platformdirs", "python-dotenv")
# JupyterLite's front page opens an empty JupyterLab. Ours opens the first notebook.
OPEN_FIRST = (
    "await import('./config-utils.js')",
    "location.replace('lab/index.html?path=notebooks/00_start_here.ipynb')",
)


def browser(to: str | None = None, pyodide: str | None = None) -> int:
    """Build the site in the new or empty folder ``to`` (default: build/browser, which is replaced).

    pyodide  a folder with Pyodide's distribution, to use instead of the pinned package and downloads;
             its pyodide-lock.json lists the wheels and their checksums

    Returns the exit code. Raises CommandError if the extra ``browser`` is not installed, the folder
    is not empty, or a download fails or differs from what is pinned.
    """
    if find_spec("jupyterlite_pyodide_kernel") is None:
        raise CommandError(
            "The tools of the browser edition are not installed. Run `make browser`, or: "
            "pip install -e '.[site,browser]'"
        )
    built = Path(to) if to else HTML
    if to is None:
        shutil.rmtree(built, ignore_errors=True)
    if code := site(str(built), runs=RUNS):
        return code
    jupyterlite(ROOT, built / RUNS, Path(pyodide) if pyodide else None)
    print(
        f"The course runs from {built}: python -m http.server --directory {built}"
    )
    return 0


def jupyterlite(root: Path, to: Path, distribution: Path | None = None) -> None:
    """Build JupyterLite with the course in the new folder ``to``. Raises CommandError.

    distribution  a folder with Pyodide (default: the pinned package)
    """
    TOOLS.mkdir(parents=True, exist_ok=True)
    distribution = distribution or _npm_package(TOOLS)
    with tempfile.TemporaryDirectory() as place:
        lite = Path(place)
        update_copy(root, lite / "files")
        shutil.copy(PINNED / "save_your_work.ipynb", lite / "files")
        archives = [
            distribution / LIBRARY,
            *_compiled(distribution, TOOLS),
            *_downloaded(TOOLS),
            *_kernel_wheels(),
            _coursekit(root, lite),
        ]
        library, *wheels = compiled(
            root, distribution, archives, TOOLS / "compiled"
        )
        kernel = lite / "static" / "pyodide"
        lay_out_kernel(distribution, wheels, kernel)
        shutil.copy(library, kernel)
        _configure(lite, to)
        _run([sys.executable, "-m", "jupyterlite_core", "build"], lite)
    front = to / "index.html"
    page = front.read_text(encoding="utf-8").replace(*OPEN_FIRST)
    front.write_text(page, encoding="utf-8")


def compiled(
    root: Path, distribution: Path, archives: list[Path], folder: Path
) -> list[Path]:
    """Compile the modules in wheels and ZIP files, and store the results in ``folder`` for later
    builds.

    A page imports compiled modules in less than half the time. Only the Python that imports modules
    can compile them, which is Pyodide itself, run in Node.js. Raises CommandError if there is no
    Node.js.
    """
    script = PINNED / "compile.py"
    compiler = (
        script.read_bytes() + (distribution / "package.json").read_bytes()
    )
    paths = {}
    for archive in archives:
        digest = hashlib.sha256(compiler + archive.read_bytes()).hexdigest()
        paths[archive] = folder / digest[:16] / archive.name
    new = [archive for archive, path in paths.items() if not path.is_file()]
    if not new:
        return list(paths.values())
    node = shutil.which("node")
    if node is None:
        raise CommandError(
            "Compiling Python's modules requires Node.js, which is not installed. Install it, "
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
        for archive in new:
            paths[archive].parent.mkdir(exist_ok=True)
            (made / archive.name).replace(paths[archive])
    return list(paths.values())


def lay_out_kernel(distribution: Path, wheels: list[Path], to: Path) -> None:
    """Write the interpreter, the wheels, and the lock file that lists them into the new folder
    ``to``.

    Because of that file, ``from coursekit import ...`` in a cell loads coursekit and what it needs
    for a first reply. The rest is loaded when it is imported (``foundation.wheels``).
    """
    to.mkdir(parents=True)
    for name in INTERPRETER:
        shutil.copy(distribution / name, to)
    _empty_wheel(EMPTY, to)
    for wheel in wheels:
        shutil.copy(wheel, to)
    packages = {
        package["name"]: package
        for package in map(_package, sorted(to.glob("*.whl")))
    }
    for package in packages.values():
        package["depends"] = sorted(packages.keys() & package["depends"])
    lock = {"info": _json(to / LOCK)["info"], "packages": packages}
    (to / LOCK).write_text(json.dumps(lock, indent=1), encoding="utf-8")


def _npm_package(tools: Path) -> Path:
    """Return Pyodide's pinned npm package, which is installed if necessary. npm checks its
    integrity.
    """
    package = tools / "node_modules" / "pyodide"
    pinned = PINNED / "package-lock.json"
    if package.is_dir() and _equal(pinned, tools / pinned.name):
        return package
    npm = shutil.which("npm")
    if npm is None:
        raise CommandError(
            "Pyodide is an npm package, and this machine has no npm. Install Node.js, or name a "
            'folder with Pyodide\'s distribution: make browser ARGS="--pyodide FOLDER"'
        )
    shutil.copy(PINNED / "package.json", tools)
    shutil.copy(pinned, tools)
    _run([npm, "ci", "--ignore-scripts", "--silent"], tools)
    return package


def _downloaded(tools: Path) -> list[Path]:
    """Return the wheels in requirements.lock, which are downloaded if necessary."""
    pinned = PINNED / "requirements.lock"
    folder = tools / "wheels"
    if not _equal(pinned, folder / pinned.name):
        shutil.rmtree(folder, ignore_errors=True)
        wanted = ["--dest", str(folder), "--requirement", str(pinned)]
        _run([*DOWNLOAD, *wanted], ROOT)
        shutil.copy(pinned, folder)
    return sorted(folder.glob("*.whl"))


def _equal(pinned: Path, installed: Path) -> bool:
    return installed.is_file() and installed.read_bytes() == pinned.read_bytes()


def _compiled(distribution: Path, tools: Path) -> Iterator[Path]:
    """Yield the wheels in ``COMPILED``, from the distribution's folder or its web site."""
    packages = _json(distribution / LOCK)["packages"]
    version = _json(distribution / "package.json")["version"]
    for name in COMPILED:
        file = distribution / packages[name]["file_name"]
        if not file.is_file():
            file = tools / file.name
        if not file.is_file():
            _download(
                DISTRIBUTION.format(version=version, file=file.name), file
            )
        if _digest(file) != packages[name]["sha256"]:
            raise CommandError(
                f"{file} is not what {LOCK} of Pyodide {version} names: another SHA-256. "
                "Delete the file, and build again."
            )
        yield file


def _download(url: str, to: Path) -> None:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            content = answer.read()
    except OSError as error:
        raise CommandError(
            f"{url} could not be downloaded: {error}. Build where it can be reached, or name a "
            'folder with Pyodide\'s distribution: make browser ARGS="--pyodide FOLDER"'
        ) from error
    to.write_bytes(content)


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _kernel_wheels() -> Iterator[Path]:
    """Yield the kernel's own wheels, which are in its package."""
    kernel = Path(
        sys.prefix, "share", "jupyter", "labextensions", "@jupyterlite"
    )
    for wheel in kernel.glob("pyodide-kernel-extension/static/pypi/*.whl"):
        if not wheel.name.startswith("widgetsnbextension"):
            yield wheel


def _coursekit(root: Path, to: Path) -> Path:
    """Build coursekit's own wheel in the folder ``to``."""
    hatch = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    _run([*hatch, "--directory", f"{to}"], root)
    return next(to.glob("coursekit-*.whl"))


def _empty_wheel(name: str, folder: Path) -> None:
    about = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 0\n",
        "WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(folder / f"{name}-0-py3-none-any.whl", "w") as wheel:
        for file, text in about.items():
            wheel.writestr(f"{name}-0.dist-info/{file}", text)


def _package(wheel: Path) -> dict[str, Any]:
    """Return a wheel's entry in Pyodide's lock file, with its dependencies on WebAssembly."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    (about,) = distributions(path=[str(wheel)])
    name = canonicalize_name(about.name)
    depends = {
        canonicalize_name(need.name)
        for need in map(Requirement, about.requires or [])
        if not need.marker or need.marker.evaluate(MARKERS)
    }
    with zipfile.ZipFile(wheel) as archive:
        top = {
            file.partition("/")[0].removesuffix(".py")
            for file in archive.namelist()
        }
    return {
        "name": name,
        "version": about.version,
        "file_name": wheel.name,
        "sha256": _digest(wheel),
        "install_dir": "site",
        "package_type": "package",
        "imports": sorted(filter(str.isidentifier, top)),
        "depends": sorted(FIRST if name == "coursekit" else depends),
        "unvendored_tests": False,
    }


def _configure(lite: Path, to: Path) -> None:
    """Write JupyterLite's settings into its folder ``lite``."""
    jupyter = DATA / "jupyter"
    extensions = (
        jupyter / "labextensions",
        PINNED / "labextensions",
    )
    build = {
        "LiteBuildConfig": {
            "apps": ["lab"],
            "output_dir": str(to),
            "no_sourcemaps": True,
        },
        "FederatedExtensionAddon": {
            "extra_labextensions_path": list(map(str, extensions))
        },
    }
    (lite / "jupyter_lite_config.json").write_text(
        json.dumps(build), encoding="utf-8"
    )
    shutil.copy(PINNED / "jupyter-lite.json", lite)
    overrides = jupyter / "labconfig" / "default_setting_overrides.json"
    shutil.copy(overrides, lite / "overrides.json")


def _run(command: list[str], folder: Path) -> None:
    """Run a tool. If it fails, raises CommandError with the tool's output."""
    ran = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False
    )
    if ran.returncode:
        printed = (ran.stdout + ran.stderr).strip()[-2000:]
        raise CommandError(f"{' '.join(command[:4])} failed:\n{printed}")


def main() -> int:
    """Build the site; returns the exit code."""
    parser = argparse.ArgumentParser(
        description="The course as a site that runs it."
    )
    parser.add_argument(
        "--to", metavar="FOLDER", help="where to (default: build/browser)"
    )
    parser.add_argument(
        "--pyodide",
        metavar="FOLDER",
        help="Pyodide's distribution (default: the pinned one)",
    )
    options = parser.parse_args()
    try:
        return browser(options.to, options.pyodide)
    except CommandError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
