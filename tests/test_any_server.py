"""Live mode on another server: its models are set in the environment, and its answers leave out
some of what OpenAI sends.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coursekit import (
    Conversation,
    Meter,
    connect,
    connect_async,
    models,
    price_of,
    stream_text,
)
from coursekit.pricing import NoPrice
from coursekit.reasoning import exhausted
from coursekit.settings import SDK_OPTIONS, settings
from support.loopback import Upstream, upstream

HELLO = [{"role": "user", "content": "Hello"}]
BARE = {
    "choices": [
        {
            "message": {"role": "assistant", "content": "Hi."},
            "finish_reason": "stop",
        }
    ],
    "model": "tiny:1b",
}


@pytest.fixture(autouse=True)
def live(monkeypatch: pytest.MonkeyPatch) -> None:
    """Live mode with a key and without settings for roles."""
    for name in [
        *SDK_OPTIONS,
        *(f"COURSEKIT_{role}" for role in (*models.ROLES, "MODEL")),
    ]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COURSEKIT_MODE", "live")
    monkeypatch.setenv("COURSEKIT_TODAY", "2026-11-29")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-test")


def server(
    *names: str, answer: dict[str, Any] | None = None, status: int = 200
) -> Callable[[Upstream], None]:
    """Answers GET /models with these names, and every POST with the same completion, without a
    request ID.
    """

    def handle(to: Upstream) -> None:
        body: Any = answer or BARE
        if to.command == "GET":
            body = {"object": "list", "data": [{"id": name} for name in names]}
        raw = json.dumps(body).encode()
        to.send_response(status if to.command == "GET" else 200)
        to.send_header("content-type", "application/json")
        to.send_header("content-length", str(len(raw)))
        to.end_headers()
        to.wfile.write(raw)

    return handle


def test_settings_name_the_model_of_a_role(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In live mode, COURSEKIT_CHAT and similar variables name a role's model, and COURSEKIT_MODEL
    names the model for all other roles.
    """
    monkeypatch.setenv("COURSEKIT_MODEL", "tiny:1b")
    monkeypatch.setenv("COURSEKIT_HARDEST", " big:70b ")
    assert [models.CHAT, models.SMALL, models.REASONING, models.HARDEST] == [
        "tiny:1b"
    ] * 3 + ["big:70b"]
    assert models.from_table("CHAT") == "gpt-4o"
    for mode in ("replay", "record"):
        monkeypatch.setenv("COURSEKIT_MODE", mode)
        assert [models.CHAT, models.HARDEST] == ["gpt-4o", "o3"]


def test_a_role_that_the_server_does_not_list_is_named_before_anything_is_sent() -> (
    None
):
    """The refusal names the roles' models that are missing, the models that the server has, and the
    line to write.
    """
    with (
        upstream(server("tiny:1b", "other")) as (url, seen),
        connect(base_url=url) as client,
    ):
        with pytest.raises(models.ModelNotServed) as told:
            client.chat.completions.create(model=models.CHAT, messages=HELLO)
        with pytest.raises(models.ModelNotServed):
            client.with_options(max_retries=5).chat.completions.create(
                model=models.SMALL, messages=HELLO, stream=True
            )
    assert [raw for raw, _ in seen] == [b""]  # GET /v1/models, once
    assert str(told.value) == (
        f"The server at {url} does not list gpt-4o (models.CHAT), gpt-4o-mini (models.SMALL), "
        "gpt-6.1-terra "
        "(models.REASONING), o3 (models.HARDEST). Nothing was sent.\nIt has: other, tiny:1b.\n"
        "Put COURSEKIT_CHAT=other into .env, or COURSEKIT_MODEL=other for all roles, and run the "
        "notebook again from its first cell."
    )


async def test_the_async_client_asks_once_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Concurrent requests share one request for the list of models, and use a model that it
    lists.
    """
    import asyncio

    monkeypatch.setenv("COURSEKIT_MODEL", "tiny:1b")
    with upstream(server("tiny:1b")) as (url, seen):
        async with connect_async(base_url=url) as client:
            asked = [
                client.chat.completions.create(
                    model=models.CHAT, messages=HELLO
                )
                for _ in range(5)
            ]
            assert {
                reply.choices[0].message.content
                for reply in await asyncio.gather(*asked)
            } == {"Hi."}
            monkeypatch.setenv("COURSEKIT_MODEL", "missing")
        async with connect_async(base_url=url) as client:
            with pytest.raises(models.ModelNotServed):
                await client.chat.completions.create(
                    model="missing", messages=HELLO
                )
    assert sum(raw == b"" for raw, _ in seen) == 2


@pytest.mark.parametrize(
    ("names", "status"),
    [
        (["gpt-4o:latest"], 200),
        (["openai/*"], 200),
        ([], 200),
        (["other"], 404),
        (["other"], 401),
        (["gpt-4o"], 200),
    ],
)
def test_where_the_list_does_not_tell_the_server_decides(
    names: list[str], status: int
) -> None:
    """The request is sent if only a tag differs, if the list has a wildcard or is empty, or if the
    list is not available.
    """
    with (
        upstream(server(*names, status=status)) as (url, _),
        connect(base_url=url) as client,
    ):
        for _ in range(2):
            assert (
                client.chat.completions.create(model="gpt-4o", messages=HELLO)
                .choices[0]
                .message.content
                == "Hi."
            )


def test_a_model_that_plays_no_role_is_the_servers_business() -> None:
    """Only a role's model is looked up, because a server may accept more names than it lists."""
    with (
        upstream(server("tiny:1b")) as (url, seen),
        connect(base_url=url) as client,
    ):
        assert (
            client.chat.completions.create(
                model="unlisted", messages=HELLO
            ).model
            == "tiny:1b"
        )
    assert len(seen) == 1


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_what_the_sdk_reads_counts_from_dotenv(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line_end: str
) -> None:
    """Each of the SDK's OPENAI_* settings works in .env as it does in the environment. The
    environment and arguments override .env.
    """
    monkeypatch.delenv("PYTHON_DOTENV_DISABLED", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.chdir(tmp_path)
    lines = [
        "OPENAI_BASE_URL=http://127.0.0.1:9/v1",
        "OPENAI_API_KEY=another-provider's",
        "OPENAI_ORG_ID=org-1",
        "OPENAI_PROJECT_ID=proj-1",
        'OPENAI_CUSTOM_HEADERS="X-Team: blue"',
        "OPENAI_WEBHOOK_SECRET=whsec",
    ]
    (tmp_path / ".env").write_bytes(line_end.join(lines).encode())
    for make in (connect, connect_async):
        client = make()
        assert (
            str(client.base_url) == "http://127.0.0.1:9/v1/"
            and client.api_key == "another-provider's"
        )
        assert (client.organization, client.project, client.webhook_secret) == (
            "org-1",
            "proj-1",
            "whsec",
        )
        assert client.default_headers["X-Team"] == "blue"
    assert (
        str(connect(base_url="http://127.0.0.1:8/v1").base_url)
        == "http://127.0.0.1:8/v1/"
    )
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:7/v1")
    assert str(connect().base_url) == "http://127.0.0.1:7/v1/"
    assert str(connect("replay").base_url) == "https://api.openai.com/v1/"
    assert settings()["OPENAI_ORG_ID"] == "org-1"


@pytest.mark.parametrize(
    "usage",
    [
        ...,
        None,
        {},
        {"prompt_tokens": None, "completion_tokens": 3},
        {"total_tokens": 9},
    ],
)
@pytest.mark.parametrize(
    "created", [..., None, 0, 1_700_000_000_000, 1_700_000_000.5]
)
def test_a_meter_survives_what_another_server_leaves_out(
    usage: Any, created: Any
) -> None:
    """Without usage, IDs, a fingerprint, or a price, there is still a receipt, which says so and
    shows who answered and when.
    """
    left_out = {"usage": usage, "created": created}
    answer = BARE | {
        name: value for name, value in left_out.items() if value is not ...
    }
    with (
        upstream(server(answer=answer)) as (url, _),
        connect(base_url=url) as client,
    ):
        meter = Meter(client)
        receipt = meter.add(
            client.chat.completions.create(model="tiny:1b", messages=HELLO)
        )
    host = url.removeprefix("http://").removesuffix("/v1")
    assert (receipt.usage, receipt.price, receipt.source) == (
        None,
        None,
        host,
    ) and receipt.seconds is not None
    assert repr(receipt).startswith("no usage") and repr(receipt).endswith(
        f"live · {host}"
    )
    assert repr(meter).startswith(
        f"live mode: {host} answers; costs are OpenAI's prices, for models that have one"
    )
    assert meter._repr_html_() and meter.total == 0 and meter.unpriced == 1


def test_an_unknown_model_has_counts_and_no_price() -> None:
    """A server's token counts are shown without a price. Asking for a price raises an error that
    says there is none.
    """
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 2,
        "total_tokens": 11,
        "prompt_tokens_details": None,
    }
    with (
        upstream(server(answer=BARE | {"usage": usage})) as (url, _),
        connect(base_url=url) as client,
    ):
        receipt = Meter(client).add(
            client.chat.completions.create(model="tiny:1b", messages=HELLO)
        )
    assert repr(receipt).startswith("9 in · 2 out · no price")
    with pytest.raises(NoPrice, match="No price is known for model 'tiny:1b'"):
        price_of(usage, "tiny:1b")


DELTAS = [
    {
        "choices": [
            {"index": 0, "delta": {"role": "assistant", "content": None}}
        ]
    },
    {"choices": [{"index": 0, "delta": {"reasoning_content": "Hm."}}]},
    {"choices": [{"index": 0, "delta": None, "logprobs": None}]},
    {
        "choices": [
            {"index": 0, "delta": {"content": "Hi."}, "finish_reason": ""}
        ]
    },
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {"choices": None},
]


def test_a_stream_survives_what_another_server_leaves_out() -> None:
    """With null deltas, with hidden reasoning, or without IDs, usage, or choices, the text still
    arrives in full.
    """
    events = (
        b"".join(
            b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in DELTAS
        )
        + b"data: [DONE]\n\n"
    )

    def handle(to: Upstream) -> None:
        to.whole(events, kind="text/event-stream")

    with upstream(handle) as (url, _), connect(base_url=url) as client:
        stream = stream_text(client, model="tiny:1b", messages=HELLO)
        assert "".join(stream) == "Hi." and (stream.ended, stream.usage) == (
            "complete",
            None,
        )
        assert Meter(client).add(stream).usage is None and not exhausted(stream)
        talk = Conversation(client, model="tiny:1b")
        assert (
            "".join(talk.stream("Hello")) == "Hi."
            and talk.messages[-1]["content"] == "Hi."
        )
