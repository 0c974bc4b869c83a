"""deploy/: what a learner gets, what a teacher collects, and that the files agree. These tests need
no hub.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from coursekit.workshop.commands.working_copy import update_copy

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"

posix = pytest.mark.skipif(
    sys.platform == "win32", reason="JupyterHub runs on Linux and macOS"
)


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DEPLOY / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def documents(name: str) -> list[Any]:
    return list(yaml.safe_load_all((DEPLOY / name).read_text(encoding="utf-8")))


# A learner's own copy


def test_a_learner_gets_chapters_and_exercises_and_no_solution(
    tmp_path: Path,
) -> None:
    """A learner's folder is a working copy: it has all notebooks, the glossary, and all
    exercises.
    """
    module = load("learner_server")
    update = module.update_copy(ROOT, tmp_path, folders=module.FOLDERS)
    assert not update.failed
    for folder in ("notebooks", "exercises"):
        here = {path.name for path in (tmp_path / folder).iterdir()}
        assert here == {
            path.name
            for path in (ROOT / folder).iterdir()
            if path.suffix in (".ipynb", ".md")
        }
    assert not (tmp_path / "solutions").exists()


def test_jupyter_starts_on_a_full_disk(tmp_path: Path) -> None:
    """The file that jupyter_core would write when it starts is created before the disk is full, and
    is not written again.
    """
    module = load("learner_server")
    module.mark_migrated(tmp_path)
    module.mark_migrated(tmp_path)
    code = (
        "import os, jupyter_core.migrate as migrate\n"
        "from jupyter_core.application import JupyterApp\n"
        "JupyterApp().migrate_config()\n"  # raises if it has to write
    )
    (tmp_path / ".jupyter").chmod(0o500)
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    env = {
        **os.environ,
        "HOME": str(tmp_path),
        "JUPYTER_CONFIG_DIR": str(tmp_path / ".jupyter"),
    }
    subprocess.run([sys.executable, "-c", code], env=env, check=True)
    assert {
        path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")
    } == written
    # no error on a full disk
    module.mark_migrated(tmp_path / "no" / "such" / "home")


@posix
def test_limits_hold_for_what_a_learner_starts() -> None:
    """Using more memory than MEM_LIMIT raises MemoryError, and the limit cannot be raised."""
    code = (
        f"import sys; sys.path.insert(0, {str(DEPLOY)!r})\n"
        "import learner_server, resource, os\n"
        "learner_server.limit({'MEM_LIMIT': str(2**29)})\n"
        "print(resource.getrlimit(resource.RLIMIT_DATA)[1] == 2**29, "
        "resource.getrlimit(resource.RLIMIT_CORE))\n"
        "try:\n    bytearray(2**30)\nexcept MemoryError:\n    print('MemoryError')\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    expected = ["True", "(0,", "0)"] + (
        ["MemoryError"] if sys.platform == "linux" else []
    )
    assert ran.stdout.split()[: len(expected)] == expected


# Collecting


@pytest.fixture
def class_(tmp_path: Path) -> Path:
    """Ada changed one exercise, Bo changed none, and Cy has no folder for them."""
    for name in ("ada", "bo"):
        update_copy(ROOT, _home(tmp_path, name))
    _home(tmp_path, "cy")
    (tmp_path / "learners/ada/exercises/01_basics.ipynb").write_text(
        "ada's work"
    )
    return tmp_path


def _home(folder: Path, name: str) -> Path:
    (folder / "learners" / name).mkdir(parents=True)
    return folder / "learners" / name


def collect(folder: Path, *chapters: str) -> list[str]:
    asked = list(chapters) or ["01_basics", "02_parameters"]
    return list(
        load("collect").collect(folder / "learners", folder / "course", asked)
    )


@posix
def test_changed_exercises_are_collected(class_: Path) -> None:
    """They are copied to where nbgrader looks, with the time of the last change. The next time,
    newer ones replace older ones.
    """
    assert collect(class_) == ["ada: 01_basics", "bo: nothing", "cy: nothing"]
    handed_in = class_ / "course/submitted/ada/01_basics"
    assert (handed_in / "01_basics.ipynb").read_text() == "ada's work"
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} UTC\n",
        (handed_in / "timestamp.txt").read_text(),
    )
    assert sorted(
        path.name for path in (class_ / "course/submitted").iterdir()
    ) == ["ada"]
    (class_ / "learners/ada/exercises/01_basics.ipynb").write_text(
        "better work"
    )
    collect(class_)
    assert (handed_in / "01_basics.ipynb").read_text() == "better work"


@posix
@pytest.mark.parametrize("trick", ["link", "folder", "pipe"])
def test_nobody_hands_in_a_file_that_is_not_theirs(
    class_: Path, trick: str
) -> None:
    """Links to other people's work, instead of the file or the folder, and pipes are refused
    and reported. The other files are copied.
    """
    exercises = class_ / "learners/bo/exercises"
    target = exercises / "01_basics.ipynb"
    if trick == "folder":
        exercises.rename(exercises.with_name("aside"))
        exercises.symlink_to(class_ / "learners/ada/exercises")
    else:
        target.unlink()
        target.symlink_to(
            class_ / "learners/ada/exercises/01_basics.ipynb"
        ) if trick == "link" else os.mkfifo(target)
    lines = collect(class_, "01_basics")
    assert lines[0] == "ada: 01_basics"
    assert lines[1].startswith("bo: nothing; 01_basics not taken: ")
    assert not (class_ / "course/submitted/bo").exists()


# Files that agree


def test_the_cluster_gives_what_one_machine_gives() -> None:
    """values.yaml and jupyterhub_config.py have the same program, first page, rule for names, and
    memory limit.
    """
    config = (DEPLOY / "jupyterhub_config.py").read_text(encoding="utf-8")
    [values] = documents("values.yaml")
    singleuser, hub = values["singleuser"], values["hub"]
    assert singleuser["cmd"][1] == "/srv/coursekit/deploy/learner_server.py"
    assert (DEPLOY / "learner_server.py").is_file()
    for said in (
        singleuser["defaultUrl"],
        hub["config"]["Authenticator"]["username_pattern"],
        singleuser["memory"]["limit"],
        singleuser["cmd"][2],
    ):
        assert f'"{said}"' in config
    assert singleuser["extraEnv"]["COURSEKIT_MODE"] == "replay"
    assert "OPENAI_API_KEY" not in json.dumps(values)


def test_the_class_server_of_the_cluster_is_the_one_the_hub_asks() -> None:
    """The name, port, label, and secret in class-server.yaml are those that values.yaml uses, and
    all arguments are strings.
    """
    service, _, deployment = documents("class-server.yaml")
    [values] = documents("values.yaml")
    port = service["spec"]["ports"][0]["port"]
    assert (
        values["hub"]["extraEnv"]["COURSEKIT_BASE_URL"]
        == f"http://{service['metadata']['name']}:{port}/v1"
    )
    template = deployment["spec"]["template"]
    [rule] = values["singleuser"]["networkPolicy"]["egress"]
    labels = template["metadata"]["labels"]
    assert (
        labels
        == deployment["spec"]["selector"]["matchLabels"]
        == rule["to"][0]["podSelector"]["matchLabels"]
    )
    assert rule["ports"][0]["port"] == port
    [container] = template["spec"]["containers"]
    assert all(isinstance(word, str) for word in container["args"])
    secret = values["hub"]["extraEnv"]["COURSEKIT_ADMIN_TOKEN"]["valueFrom"]
    assert secret in [each["valueFrom"] for each in container["env"]]


def test_the_class_servers_arguments_exist() -> None:
    """coursekit has the command and options that class-server.yaml uses."""
    *_, deployment = documents("class-server.yaml")
    program, command, *options = deployment["spec"]["template"]["spec"][
        "containers"
    ][0]["args"]
    assert program == "coursekit"
    ran = subprocess.run(
        [sys.executable, "-m", "coursekit", command, "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert {option for option in options if option.startswith("--")} <= set(
        re.findall(r"--[\w-]+", ran.stdout)
    )


def test_no_secret_stands_in_deploy() -> None:
    """No password or token has a value in a committed file."""
    for name in ("values.yaml", "class-server.yaml"):
        text = (DEPLOY / name).read_text(encoding="utf-8")
        assert not re.search(
            r"^[^#\n]*(password|_TOKEN): *['\"]?\w", text, re.M
        ), name


def test_the_dev_container_runs_commands_that_exist() -> None:
    """devcontainer.json is JSON with comments, its commands are targets in the Makefile, and it
    does not contain a key.
    """
    text = (ROOT / ".devcontainer/devcontainer.json").read_text(
        encoding="utf-8"
    )
    said = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.M))
    targets = re.findall(
        r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M
    )
    for command in (said["postCreateCommand"], said["postAttachCommand"]):
        assert command.split()[0] == "make"
        assert command.split()[1] in targets
    assert said["containerEnv"] == {"COURSEKIT_MODE": "replay"}
