"""Which models play the course's roles today, until when, and whether the API offers them: a part
of the doctor.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping

from ... import models
from ...settings import Mode, ModeError, mode_of, role_model, today_of

TABLE = "coursekit/data/models.toml"
SHOWN = 10  # models of a server


def course_models(env: Mapping[str, str]) -> tuple[str, str]:
    """What was found about the models that live mode asks, and the fix if one is not served ("" if
    all are).

    env  the settings in force: in live mode GET /v1/models is called, which costs nothing;
         otherwise no server is called
    """
    try:
        mode, today = mode_of(None, env), today_of(env)
    except ModeError as error:
        return str(error).splitlines()[0], "set it, or leave it out"
    playing = models.playing({**env, "COURSEKIT_MODE": Mode.LIVE})
    ends = {name: _shutdown(name) for name in playing.values()}
    if mode is not Mode.LIVE:
        return f"live mode would ask {_listed(ends)}", ""
    try:
        offered = _offered()
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the network, the key or the answer
        return (
            f"GET /v1/models failed: {type(error).__name__}",
            "see the lines on the key, the mode and the proxies",
        )
    if missing := [name for name in ends if name not in offered]:
        is_chosen = any(
            name in missing and role_model(role, env)
            for role, name in playing.items()
        )
        cure = f"write a successor that it does offer into [role] of {TABLE}"
        if is_chosen or "openai.com" not in env.get(
            "OPENAI_BASE_URL", "openai.com"
        ):
            has = ", ".join(sorted(offered)[:SHOWN]) or "nothing"
            cure = (
                f"it has {has}: write COURSEKIT_MODEL=… into .env, or COURSEKIT_CHAT=… and so "
                "on for each role"
            )
        return f"the API does not offer {', '.join(missing)} to this key", cure
    ends = {name: offered[name] or end for name, end in ends.items()}
    dead = {name: end for name, end in ends.items() if end and end <= today}
    if dead:
        return (
            f"shut down, according to the API's own list: {_listed(dead)}",
            f"write a successor into {TABLE}",
        )
    return f"asks {_listed(ends)}; all offered", ""


def _offered() -> dict[str, datetime.date | None]:
    """The models that GET /v1/models lists, each with its shutdown date."""
    from ...client import connect

    with connect("live", max_retries=0, timeout=10.0) as client:
        dates = {
            model.id: getattr(model, "shutdown_date", None)
            for model in client.models.list()
        }
    return {
        name: datetime.date.fromisoformat(date[:10]) if date else None
        for name, date in dates.items()
    }


def _shutdown(name: str) -> datetime.date | None:
    # another server's model
    return models.get(name).shutdown if models.known(name) else None


def _listed(ends: Mapping[str, datetime.date | None]) -> str:
    return ", ".join(
        f"{name} (until {end})" if end else name for name, end in ends.items()
    )
