"""Receipts, the journal, and the meter that adds them up."""

from __future__ import annotations

import datetime
import sys
import threading
import time
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from coursekit import connect
from coursekit.metering import ROWS, Meter, Receipt
from coursekit.offline.clock import ScaledClock
from coursekit.offline.recordings import Recordings
from coursekit.pricing import Usage, day_of, price_of
from coursekit.settings import MODES, Mode
from coursekit.wired import Journal, Served, Wired, wire
from support.html_reader import HtmlReader
from support.offline_api import WRITTEN, params, request, whole

CREATED = 1_795_348_800  # 2026-11-22


def completion(
    model: str = "gpt-4o-2024-08-06",
    prompt: int = 24,
    out: int = 7,
    **more: Any,
) -> dict[str, Any]:
    """A completion as a dict; ``cached`` and ``reasoning`` go into the usage's details."""
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": out,
        "total_tokens": prompt + out,
        "prompt_tokens_details": {"cached_tokens": more.pop("cached", 0)},
        "completion_tokens_details": {
            "reasoning_tokens": more.pop("reasoning", 0)
        },
    }
    message = {"role": "assistant", "content": "Paris.", "refusal": None}
    choice = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": "stop",
    }
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": CREATED,
        "model": model,
        "choices": [choice],
        "usage": usage,
        "service_tier": "default",
        **more,
    }


class HttpClient:
    """Stands for the client by which a journal is remembered."""


def client_with(*served: Served, mode: str = "replay") -> Any:
    """What a meter sees of a client: its HTTP client's journal."""
    journal = Journal(mode)
    for one in served:
        journal.add(one)
    client = SimpleNamespace(_client=HttpClient())
    wire(client, Wired(journal, ScaledClock()))
    return client


def test_a_receipt_of_a_replayed_call(tmp_path: Path) -> None:
    """A call through connect() prints one line with tokens, cost, latency, and the source of
    the answer.
    """
    Recordings([tmp_path]).store(
        request(), whole("Paris.", after=0.767), WRITTEN
    )
    client = connect("replay", recordings=tmp_path, speed="instant")
    meter = Meter(client)
    reply = client.chat.completions.create(**params())
    assert (
        repr(meter.add(reply))
        == "14 in · 2 out · $0.000055 · 0.77 s · replay · written"
    )
    client.close()


def test_a_receipt_names_cached_and_reasoning_tokens() -> None:
    """Cached tokens are shown with the input tokens, and reasoning tokens with the output tokens,
    if there are any.
    """
    receipt = Meter().add(
        completion("o4-mini", 2000, 500, cached=1024, reasoning=320)
    )
    assert (
        repr(receipt)
        == "2,000 in (1,024 cached) · 500 out (320 reasoning) · $0.0036"
    )


def test_without_a_journal_a_receipt_leaves_out_what_it_does_not_know() -> None:
    """Without a client, or with a client that has no journal, latency and source are left out."""
    reply = completion()
    assert (
        repr(Meter().add(reply))
        == repr(Meter(SimpleNamespace()).add(reply))
        == "24 in · 7 out · $0.00013"
    )
    assert (
        repr(Meter(client_with()).add(reply))
        == "24 in · 7 out · $0.00013 · replay"
    )


@pytest.mark.parametrize(
    ("mode", "source", "shown"),
    [
        ("replay", "written", "replay · written"),
        ("replay", "local", "replay · local"),
        ("live", "live", "live"),
        ("record", "live", "record · live"),
    ],
)
def test_where_the_answer_came_from(mode: str, source: str, shown: str) -> None:
    """The mode and the source are named, but only once if they are the same word."""
    meter = Meter(client_with(Served("req_1", 200, source, 1.5), mode=mode))
    assert repr(meter.add(completion(), request_id="req_1")).endswith(
        f" · 1.50 s · {shown}"
    )


def test_an_sdk_reply_and_its_dict_give_the_same_receipt() -> None:
    """A ChatCompletion, its dict, and a finished stream are added in the same way."""
    reply = ChatCompletion.model_validate(completion())
    stream = SimpleNamespace(
        text="Paris.",
        model=reply.model,
        usage=reply.usage,
        created=reply.created,
        ended="complete",
    )
    meter = Meter()
    assert (
        meter.add(reply)
        == meter.add(completion())
        == meter.add(reply.model_dump())
        == meter.add(stream)
    )


def test_the_request_id_is_read_where_it_stands() -> None:
    """The journal is searched for the given ID, then for the stream's ID, then for the ID of
    the SDK's reply.
    """
    meter = Meter(
        client_with(*(Served(f"req_{n}", 200, "written", n) for n in (1, 2, 3)))
    )
    reply = ChatCompletion.model_validate(completion())
    reply._request_id = "req_1"
    stream = SimpleNamespace(
        model="gpt-4o", usage=reply.usage, request_id="req_2"
    )
    found = [
        meter.add(reply),
        meter.add(stream),
        meter.add(reply, request_id="req_3"),
        meter.add(completion()),
    ]
    assert [receipt.seconds for receipt in found] == [1, 2, 3, None]


def test_a_model_without_a_price_is_counted() -> None:
    """A reply whose model has no price is counted, and the receipt says that there is no price."""
    meter = Meter()
    assert (
        repr(meter.add(completion("SmolLM2-135M-Instruct")))
        == "24 in · 7 out · no price"
    )
    meter.add(completion())
    assert (meter.total, meter.unpriced, meter.usage.prompt) == (
        Decimal("0.00013"),
        1,
        48,
    )
    assert meter.cost_per_call() == [None, Decimal("0.00013")]
    assert (
        repr(meter) == "2 calls · 48 in · 14 out · $0.00013 · 1 without a price"
    )


def test_a_stream_without_usage_is_counted() -> None:
    """A stream without usage is added as such, with an unknown cost."""
    meter = Meter()
    receipt = meter.add(SimpleNamespace(model="gpt-4o", usage=None))
    assert (repr(receipt), receipt.usage, receipt.price, meter.unpriced) == (
        "no usage",
        None,
        None,
        1,
    )
    assert HtmlReader(meter._repr_html_()).rows[1][2:5] == [
        "?",
        "?",
        "no price",
    ]


@pytest.mark.parametrize(
    ("created", "on", "dollars"),
    [
        (CREATED, None, 2),
        (1_748_736_000, None, 10),  # 2025-06-01
        (1_748_736_000, datetime.date(2026, 11, 22), 2),
        (1_749_513_599, None, 10),  # the last second of 2025-06-09, UTC
        (1_749_513_600, None, 2),
    ],
)
def test_prices_are_those_of_the_replys_day(
    created: Any, on: datetime.date | None, dollars: int
) -> None:
    """The price is that of the reply's day (UTC), unless another day is given."""
    receipt = Meter().add(
        completion("o3", 1_000_000, 0, created=created), on=on
    )
    assert receipt.price is not None
    assert receipt.price.total == dollars


@pytest.mark.parametrize(
    "created", [0, -1, 1_795_348_800_000, "yesterday", None]
)
def test_a_reply_without_a_date_is_priced_today(created: Any) -> None:
    """If a reply does not say when it was made, today's prices are used."""
    reply = completion("o3", created=created)
    assert Meter().add(reply).price == price_of(reply["usage"], "o3")


def test_the_service_tier_is_priced() -> None:
    """The reply's service tier has its own price. If the list has none for that day, the price is
    unknown.
    """
    flex = completion("o3", 1_000_000, 0, service_tier="flex")
    meter = Meter()
    assert [
        meter.add(flex).cost,
        meter.add({**flex, "created": 1_767_225_600}).cost,
    ] == [
        "$1.00",
        "no price",
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        "Paris.",
        None,
        {"error": {}},
        {"model": "gpt-4o", "messages": []},
        iter([]),
    ],
)
def test_what_is_no_reply_is_refused(wrong: Any) -> None:
    """An object without a model and usage is refused, and the ledger stays unchanged."""
    meter = Meter()
    with pytest.raises(
        TypeError, match="needs a reply that has model and usage, but got "
    ):
        meter.add(wrong)
    assert meter.ledger == []


def test_a_stream_is_entered_after_its_end() -> None:
    """Before a stream has ended, its usage is unknown, so nothing is added, and the message says
    what to do.
    """
    meter = Meter()
    stream = SimpleNamespace(model="gpt-4o", usage=None, ended=None)
    with pytest.raises(ValueError, match="Read it to its end"):
        meter.add(stream)
    assert meter.ledger == []
    stream.ended = "left"
    assert repr(meter.add(stream)) == "no usage"


def test_a_forgotten_await_is_named() -> None:
    """If a coroutine is passed instead of a reply, the message says to await it."""

    async def create() -> None: ...

    coroutine = create()
    with pytest.raises(TypeError, match=r"got coroutine\. Await it first"):
        Meter().add(coroutine)
    coroutine.close()


CALLS = st.lists(
    st.tuples(
        st.sampled_from(["gpt-4o", "o4-mini", "gpt-6-luna", "mystery"]),
        *[st.integers(0, 5000)] * 4,
    ).map(
        lambda c: completion(
            c[0], c[1] + c[2], c[3] + c[4], cached=c[2], reasoning=c[4]
        )
    ),
    max_size=8,
)


@given(CALLS)
def test_a_ledger_adds_up(calls: list[dict[str, Any]]) -> None:
    """Each view of a ledger (by model, per call, and in four parts) adds up to its total in dollars
    and tokens.
    """
    meter = Meter()
    for call in calls:
        meter.add(call)
    split = meter.split()
    assert list(split) == ["input", "cached", "output", "reasoning"]
    assert sum(meter.cost_by_model().values()) == meter.total
    assert sum(cost or 0 for cost in meter.cost_per_call()) == meter.total
    assert sum(share.dollars for share in split.values()) == meter.total
    assert split["input"].tokens + split["cached"].tokens == meter.usage.prompt
    assert (
        split["output"].tokens + split["reasoning"].tokens
        == meter.usage.completion
    )


def test_the_split_of_a_reasoning_call() -> None:
    """The cost of hidden reasoning is its tokens' share of the output's price."""
    meter = Meter()
    meter.add(completion("o4-mini", 2000, 500, cached=1024, reasoning=320))
    assert meter.split() == {
        "input": (976, Decimal("0.0010736")),
        "cached": (1024, Decimal("0.0002816")),
        "output": (180, Decimal("0.000792")),
        "reasoning": (320, Decimal("0.001408")),
    }
    assert meter.usage == Usage(
        prompt=2000, completion=500, cached=1024, reasoning=320
    )


def test_cost_by_model_is_in_order_of_first_use() -> None:
    """Models are in the order in which they were first used."""
    meter = Meter()
    for model in ("o4-mini", "gpt-4o", "o4-mini"):
        meter.add(completion(model, 1_000_000, 0))
    assert list(meter.cost_by_model().items()) == [
        ("o4-mini", Decimal("2.2")),
        ("gpt-4o", Decimal("2.5")),
    ]


def test_a_meter_shows_a_running_total() -> None:
    """The table has a row for each call, with the total so far."""
    meter = Meter(client_with(Served("req_1", 200, "written", 0.767)))
    meter.add(completion(), request_id="req_1")
    meter.add(completion(), request_id="req_1")
    shown = meter._repr_html_()
    assert (
        f">replay mode: {Mode.REPLAY.costs} · 2 calls · 48 in · 14 out · $0.00026</span></caption>"
        in shown
    )
    cells = [
        "2",
        "gpt-4o-2024-08-06",
        "24",
        "7",
        "$0.00013",
        "$0.00026",
        "0.77 s",
        "replay · written",
    ]
    assert HtmlReader(shown).rows[2] == cells


@pytest.mark.parametrize("mode", MODES)
def test_a_new_meter_shows_the_mode(mode: str) -> None:
    """Before the first call, there is a line instead of a table, with the client's mode and whether
    it costs money.
    """
    meter = Meter(client_with(mode=mode))
    assert (
        repr(meter)
        == f"{mode} mode: {Mode(mode).costs} · 0 calls · 0 in · 0 out · $0"
    )
    assert (
        meter._repr_html_() == f'<div class="coursekit-meter">{meter!r}</div>'
    )
    assert repr(Meter()) == "0 calls · 0 in · 0 out · $0"


def test_a_long_ledger_shows_its_newest_calls() -> None:
    """The table stays short, the caption says so, and the totals include all calls."""
    meter = Meter()
    for _ in range(ROWS + 5):
        meter.add(completion())
    shown = meter._repr_html_()
    assert shown.count("<tr>") == ROWS + 1
    assert (
        f"25 calls · 600 in · 175 out · $0.0033, the newest {ROWS} calls</span></caption>"
        in shown
    )
    calls = [row[0] for row in HtmlReader(shown).rows[1:]]
    assert calls == [str(number) for number in range(6, 26)]


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "</td><b>",
        "&lt;",
        '"onload="',
        "\x00\u202e😀",
    ],
)
def test_what_is_shown_is_escaped(hostile: str) -> None:
    """Nothing that arrives over the network is treated as HTML."""
    meter = Meter(client_with(Served("req_1", 200, hostile, 1.0)))
    receipt = meter.add(completion(hostile), request_id="req_1")
    for shown in (receipt._repr_html_(), meter._repr_html_()):
        body = shown.replace("coursekit-", "")
        assert "<script" not in body
        assert "<b>" not in body
        assert '"onload' not in body
    assert not hasattr(receipt, "_repr_markdown_")


def test_a_journal_keeps_the_newest_thousand() -> None:
    """A journal forgets the oldest entries. For an ID, it finds the newest one."""
    journal = Journal("replay")
    assert (journal.last, journal.find("req_0"), journal.find(None)) == (
        None,
        None,
        None,
    )
    for n in range(Journal.KEPT + 1):
        journal.add(Served(f"req_{n}", 200, "written", n))
    assert journal.find("req_0") is None
    assert journal.find("req_1") == Served("req_1", 200, "written", 1)
    journal.add(Served("req_9", 429, "offline API", 0.5))
    assert (
        journal.last
        == journal.find("req_9")
        == Served("req_9", 429, "offline API", 0.5)
    )
    journal.add(Served(None, 200, "live", 0.1))
    assert journal.find(None) is None


def test_a_journal_is_shared_by_threads() -> None:
    """One thread can write to a journal while another searches it."""
    journal = Journal("replay")
    writer = threading.Thread(
        target=lambda: [
            journal.add(Served(f"req_{n}", 200, "written", 0.0))
            for n in range(5000)
        ]
    )
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        writer.start()
        while writer.is_alive():
            assert journal.find("req_never") is None
    finally:
        sys.setswitchinterval(usual)
        writer.join()
    assert journal.last == Served("req_4999", 200, "written", 0.0)


def test_a_receipt_is_plain_data() -> None:
    """Receipts compare by value and cannot be changed."""
    receipt = Receipt("gpt-4o", None, None)
    with pytest.raises(AttributeError):
        receipt.model = "o3"  # type: ignore[misc]


def test_a_reply_is_of_the_day_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """A price changes at the beginning of a day in UTC, wherever the computer is (here, 14 hours
    east of UTC).
    """
    if not hasattr(time, "tzset"):
        pytest.skip("this system takes its time zone from elsewhere")
    midnight = int(
        datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC).timestamp()
    )
    try:
        for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
            monkeypatch.setenv("TZ", zone)
            time.tzset()
            assert day_of({"created": midnight}) == datetime.date(2026, 11, 22)
            assert day_of({"created": midnight - 1}) == datetime.date(
                2026, 11, 21
            )
    finally:
        monkeypatch.undo()
        time.tzset()


def test_one_call_is_one_call() -> None:
    """The meter's line uses English singulars and plurals."""
    meter = Meter()
    meter.add(completion())
    assert repr(meter).startswith("1 call · ")
    meter.add(completion())
    assert repr(meter).startswith("2 calls · ")
