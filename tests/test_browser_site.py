"""How the browser edition is put together; tests/browser_edition runs it."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import nbformat
import pytest

import running_site as browser
from coursekit.workshop import CommandError
from coursekit.workshop.commands.download import download_work
from reading_site import lay_out

ROOT = Path(__file__).parents[1]
PIN = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)
INFO = {"python": "3.14.2", "arch": "wasm32", "platform": "emscripten_5_0_3"}


def wheel(
    folder: Path, name: str, *needs: str, modules: tuple[str, ...] = ()
) -> Path:
    path = folder / f"{name}-1-py3-none-any.whl"
    lines = [
        f"Name: {name}",
        "Version: 1",
        *(f"Requires-Dist: {need}" for need in needs),
    ]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            f"{name}-1.dist-info/METADATA", "\n".join(lines) + "\n"
        )
        for module in modules:
            archive.writestr(module, "")
    return path


@pytest.fixture
def distribution(tmp_path: Path) -> Path:
    """A folder that looks like Pyodide's distribution, with empty wheels."""
    folder = tmp_path / "distribution"
    folder.mkdir()
    for name in browser.INTERPRETER:
        (folder / name).write_text(name)
    packages = {}
    for name in browser.COMPILED:
        file = wheel(folder, name)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        packages[name] = {"file_name": file.name, "sha256": digest}
    (folder / browser.LOCK).write_text(
        json.dumps({"info": INFO, "packages": packages})
    )
    (folder / "package.json").write_text('{"version": "1.2.3"}')
    return folder


def test_a_page_gets_what_its_packages_need(
    distribution: Path, tmp_path: Path
) -> None:
    """The lock file lists each wheel with its checksum, its modules, and what it needs on
    WebAssembly.
    """
    needs = (
        "b>=1",
        "c; sys_platform != 'emscripten'",
        "d; extra == 'more'",
        "left-out",
    )
    wheels = [
        wheel(tmp_path, "A_a", *needs, modules=("a/__init__.py", "one.py")),
        wheel(tmp_path, "b"),
        wheel(tmp_path, "c"),
    ]
    browser.lay_out_kernel(distribution, wheels, tmp_path / "kernel")
    lock = json.loads((tmp_path / "kernel" / browser.LOCK).read_text())
    assert lock["info"] == INFO
    assert set(lock["packages"]) == {"a-a", "b", "c", browser.EMPTY}
    package = lock["packages"]["a-a"]
    assert package["depends"] == ["b"]
    assert package["imports"] == ["a", "one"]
    file = tmp_path / "kernel" / package["file_name"]
    assert package["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_compiled_wheel_is_the_one_that_pyodide_names(
    distribution: Path, tmp_path: Path
) -> None:
    """A wheel from the distribution is used if its SHA-256 is right, and refused otherwise."""
    names = [
        path.name.partition("-")[0]
        for path in browser._compiled(distribution, tmp_path)
    ]
    assert names == list(browser.COMPILED)
    (distribution / "numpy-1-py3-none-any.whl").write_bytes(b"something else")
    with pytest.raises(
        CommandError,
        match=r"numpy.* is not what pyodide-lock\.json of Pyodide 1\.2\.3",
    ):
        list(browser._compiled(distribution, tmp_path))


def test_a_download_that_fails_says_what_to_do(
    distribution: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a wheel is not available, the error gives its address and explains how to build without a
    network, and nothing is saved.
    """

    def refuse(url: str, timeout: float) -> Any:
        raise OSError("no route")

    monkeypatch.setattr(browser.urllib.request, "urlopen", refuse)
    (distribution / "pillow-1-py3-none-any.whl").unlink()
    with pytest.raises(CommandError) as caught:
        list(browser._compiled(distribution, tmp_path))
    assert (
        "/v1.2.3/full/pillow-1-py3-none-any.whl could not be downloaded: no route."
        in str(caught.value)
    )
    assert "--pyodide FOLDER" in str(caught.value)
    assert not (tmp_path / "pillow-1-py3-none-any.whl").exists()


def test_its_versions_are_those_of_the_course() -> None:
    """What a page loads from PyPI has the versions in requirements.lock (if not, run make lock)."""
    ours = dict(
        PIN.findall((ROOT / browser.PINNED / "requirements.lock").read_text())
    )
    course = set(PIN.findall((ROOT / "requirements.lock").read_text()))
    assert len(ours) > 20
    assert {pin for pin in ours.items() if pin[0] in dict(course)} <= course


def test_the_interpreter_is_pinned() -> None:
    """Pyodide's npm package has one version, an integrity, and no registry address."""
    text = (ROOT / browser.PINNED / "package-lock.json").read_text()
    pinned = json.loads(text)["packages"]["node_modules/pyodide"]
    wanted = json.loads((ROOT / browser.PINNED / "package.json").read_text())[
        "dependencies"
    ]
    assert pinned["version"] == wanted["pyodide"]
    assert pinned["integrity"].startswith("sha512-")
    assert "https://" not in text


def test_the_kernel_loads_what_is_laid_out() -> None:
    """The settings list the kernel's packages, including the empty one, and the notebook that saves
    a learner's work is valid.
    """
    text = (browser.PINNED / "jupyter-lite.json").read_text(encoding="utf-8")
    plugins = json.loads(text)["jupyter-config-data"]["litePluginSettings"]
    (kernel,) = plugins.values()
    assert browser.EMPTY in kernel["loadPyodideOptions"]["packages"]
    notebook = nbformat.read(browser.PINNED / "save_your_work.ipynb", 4)
    nbformat.validate(notebook)
    assert "download_work()" in notebook.cells[-1].source


def test_every_notebook_has_a_link_to_where_it_runs(tmp_path: Path) -> None:
    """On the site with the browser edition, each notebook's page links to it; on the other site,
    none does.
    """
    lay_out(ROOT, tmp_path / "with", "run")
    lay_out(ROOT, tmp_path / "without")
    pages = sorted((tmp_path / "with").glob("*/*.ipynb"))
    assert len(pages) > 20
    for page in pages:
        name = page.relative_to(tmp_path / "with").as_posix()
        link = f'href="../run/lab/index.html?path={name}"'
        assert link in json.loads(page.read_text("utf-8"))["cells"][1]["source"]
        assert "run-here" not in (tmp_path / "without" / name).read_text(
            "utf-8"
        )


def test_work_is_packed_as_it_lies_in_the_folder(tmp_path: Path) -> None:
    """The ZIP file contains every file under its own path, except earlier ZIP files, and its link
    downloads it.
    """
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "1.ipynb").write_text("one")
    (tmp_path / ".coursekit-copy.json").write_text("{}")
    (tmp_path / "coursekit-work.zip").write_text("old")
    packed = download_work(tmp_path)
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        assert (
            archive.namelist()
            == packed.files
            == [".coursekit-copy.json", "notebooks/1.ipynb"]
        )
        assert archive.read("notebooks/1.ipynb") == b"one"
    assert (
        '<a download="coursekit-work.zip" href="data:application/zip;base64,'
        in packed._repr_html_()
    )
    assert repr(packed) == "coursekit-work.zip: 2 files, 0.0 MB"


def test_a_lock_is_asked_of_the_platform() -> None:
    """Modules that run on a page do not import what is missing there, such as filelock."""
    elsewhere = (
        "local_model",
        "offline/server",
        "workshop/commands/local_install.py",
    )
    package = ROOT / "coursekit"
    users = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if "from filelock" in path.read_text(encoding="utf-8")
    }
    assert {name for name in users if not name.startswith(elsewhere)} == {
        "foundation/platform.py"
    }


def test_a_wheel_is_compiled_once(
    distribution: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A build compiles what has changed since the last one, and reuses everything else."""
    runs = []

    def run(command: list[str], folder: Path) -> None:
        sources, made = map(Path, command[-2:])
        runs.append(sorted(path.name for path in sources.iterdir()))
        for path in sources.iterdir():
            (made / path.name).write_bytes(b"compiled " + path.read_bytes())

    monkeypatch.setattr(browser, "_run", run)
    monkeypatch.setattr(browser.shutil, "which", lambda _: "node")
    archives = [tmp_path / "a.whl", tmp_path / "b.whl"]
    contents = []
    for text in ("one", "one", "two"):
        archives[0].write_text("a")
        archives[1].write_text(text)
        paths = browser.compiled(
            ROOT, distribution, archives, tmp_path / "compiled"
        )
        contents.append([path.read_text() for path in paths])
        assert [path.name for path in paths] == ["a.whl", "b.whl"]
    assert runs == [["a.whl", "b.whl"], ["b.whl"]]
    assert contents[-1] == ["compiled a", "compiled two"]
    monkeypatch.setattr(browser.shutil, "which", lambda _: None)
    archives[1].write_text("three")
    with pytest.raises(CommandError, match=r"Node\.js"):
        browser.compiled(ROOT, distribution, archives, tmp_path / "compiled")
