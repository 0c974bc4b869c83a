"""The offline API's /v1/files and /v1/batches, through the SDK, in process and on a socket."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openai
import pytest

from coursekit import RecordingNotFound, connect
from coursekit.offline import Fault
from coursekit.offline.batches.files import MOST, ROOM
from coursekit.offline.batches.input import read_input
from coursekit.wired import wired_to
from support.offline_api import completion, folder_with, params, whole
from support.served import served

ENDPOINT = "/v1/chat/completions"
ASKED = (
    "What is the capital of France?",
    "What is the capital of Italy?",
    "What is the capital of Spain?",
)


def line(custom_id: str, body: Any, **more: Any) -> str:
    """A line in an input file."""
    return json.dumps(
        {
            "custom_id": custom_id,
            "method": "POST",
            "url": ENDPOINT,
            "body": body,
            **more,
        }
    )


def lines() -> str:
    """Three requests with recordings, and one invalid request."""
    good = [
        line(f"q{number}", params(asked))
        for number, asked in enumerate(ASKED, start=1)
    ]
    return "\n".join([*good, line("wrong", params(ASKED[0], temperature=7))])


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    answers = [
        (params(asked), whole(text))
        for asked, text in zip(
            ASKED, ("Paris.", "Rome.", "Madrid."), strict=True
        )
    ]
    return folder_with(tmp_path / "recordings", *answers)


@pytest.fixture
def client(recordings: Path) -> openai.OpenAI:
    return connect(
        "replay", recordings=recordings, speed="instant", max_retries=0
    )


def submit(client: openai.OpenAI, content: str, **more: Any) -> Any:
    file = client.files.create(
        file=("input.jsonl", content.encode()), purpose="batch"
    )
    return client.batches.create(
        input_file_id=file.id,
        endpoint=ENDPOINT,
        completion_window="24h",
        **more,
    )


def after(client: openai.OpenAI, batch: Any, seconds: float) -> Any:
    """The batch at this time, in seconds by the clock."""
    clock: Any = wired_to(client).clock
    clock.wait(seconds)
    return client.batches.retrieve(batch.id)


def results(client: openai.OpenAI, file_id: str) -> dict[str, Any]:
    """custom_id -> response, from an output or error file."""
    told = [
        json.loads(text)
        for text in client.files.content(file_id).text.splitlines()
    ]
    return {one["custom_id"]: one["response"] for one in told}


def test_a_batch_goes_through_its_stages_on_the_clock(
    client: openai.OpenAI,
) -> None:
    """A batch is validating for 3 s, in progress for 10 s, finalizing for 2 s, and then completed,
    with a timestamp for each state.
    """
    batch = submit(client, lines())
    told = {
        seconds: after(client, batch, seconds)
        for seconds in (0, 2.9, 3, 12.9, 13, 14.9, 15)
    }
    statuses = [
        "validating",
        "validating",
        "in_progress",
        "in_progress",
        "finalizing",
        "finalizing",
        "completed",
    ]
    assert [one.status for one in told.values()] == statuses
    done = told[15]
    stamps = (
        done.in_progress_at,
        done.finalizing_at,
        done.completed_at,
        done.expires_at,
    )
    assert [stamp - done.created_at for stamp in stamps] == [3, 13, 15, 86_400]
    assert (told[13].output_file_id, done.failed_at, done.errors) == (
        None,
        None,
        None,
    )


def test_answers_and_errors_are_in_two_files(client: openai.OpenAI) -> None:
    """An answered request is in the output file with its completion, and a refused one is in the
    error file.
    """
    done = after(client, submit(client, lines(), metadata={"course": "5"}), 15)
    good, bad = (
        results(client, done.output_file_id),
        results(client, done.error_file_id),
    )
    assert {
        name: one["body"]["choices"][0]["message"]["content"]
        for name, one in good.items()
    } == {"q1": "Paris.", "q2": "Rome.", "q3": "Madrid."}
    assert (
        good["q1"]["body"] == completion("Paris.")
        and good["q1"]["status_code"] == 200
    )
    assert list(bad) == ["wrong"] and bad["wrong"]["status_code"] == 400
    assert bad["wrong"]["body"]["error"]["param"] == "temperature"
    counts = done.request_counts
    assert (counts.total, counts.completed, counts.failed, done.metadata) == (
        4,
        3,
        1,
        {"course": "5"},
    )
    assert (done.usage.input_tokens, done.usage.output_tokens, done.model) == (
        42,
        6,
        "gpt-4o",
    )


def test_a_batch_of_wrong_requests_has_no_output_file(
    client: openai.OpenAI,
) -> None:
    """The batch still completes, with only an error file."""
    done = after(
        client, submit(client, line("wrong", params(temperature=7))), 15
    )
    assert (done.status, done.output_file_id) == ("completed", None)
    assert list(results(client, done.error_file_id)) == ["wrong"]


def test_a_cancelled_batch_keeps_what_was_answered(
    client: openai.OpenAI,
) -> None:
    """Halfway through, half of the requests are answered and stay answered; the others are not in
    any file.
    """
    batch = submit(client, lines())
    after(client, batch, 8)
    assert client.batches.cancel(batch.id).status == "cancelling"
    done = after(client, batch, 9)
    assert (
        done.status,
        done.cancelled_at - done.created_at,
        done.error_file_id,
    ) == (
        "cancelled",
        9,
        None,
    )
    assert list(results(client, done.output_file_id)) == ["q1", "q2"]
    with pytest.raises(openai.ConflictError):
        client.batches.cancel(batch.id)


FAULTY = [
    ("", "empty_file", None),
    ("{\n", "invalid_json_line", 1),
    ("[]", "invalid_json_line", 1),
    (
        line("a", params()) + "\n\n" + line("a", params()),
        "duplicate_custom_id",
        3,
    ),
    (line("a", params(), url="/v1/embeddings"), "url_mismatch", 1),
    (line("a", params(), method="GET"), "url_mismatch", 1),
    (
        line("a", params()) + "\n" + line("b", params(model="gpt-4o-mini")),
        "model_mismatch",
        2,
    ),
    (line("a", "What?"), "missing_required_parameter", 1),
    (
        json.dumps({"method": "POST", "url": ENDPOINT, "body": params()}),
        "missing_required_parameter",
        1,
    ),
]


@pytest.mark.parametrize(("content", "code", "number"), FAULTY)
def test_a_faulty_file_fails_the_batch(
    client: openai.OpenAI, content: str, code: str, number: int | None
) -> None:
    """The batch is created and then fails validation. Its errors name the code and the line, and
    nothing is answered.
    """
    batch = submit(client, content)
    failed = after(client, batch, 3)
    assert (batch.status, failed.status) == ("validating", "failed")
    assert (failed.errors.data[0].code, failed.errors.data[0].line) == (
        code,
        number,
    )
    assert (
        failed.request_counts.total,
        after(client, batch, 60).output_file_id,
    ) == (
        0,
        None,
    )


def test_only_a_hundred_faults_are_told() -> None:
    """A file that is not JSONL at all does not cause an answer as large as the file."""
    assert len(read_input(b"x\n" * 5000)[1]) == 100


WRONG = [
    ({"endpoint": "/v1/embeddings"}, 400, "endpoint"),
    ({"completion_window": "1h"}, 400, "completion_window"),
    ({"input_file_id": "file-none"}, 404, "id"),
]


@pytest.mark.parametrize(("changed", "status", "param"), WRONG)
def test_a_wrong_batch_is_refused_at_once(
    client: openai.OpenAI, changed: Any, status: int, param: str
) -> None:
    """An endpoint that the offline API does not have, another completion window, or a file that
    does not exist is refused.
    """
    file = client.files.create(
        file=("input.jsonl", lines().encode()), purpose="batch"
    )
    asked = {
        "input_file_id": file.id,
        "endpoint": ENDPOINT,
        "completion_window": "24h",
        **changed,
    }
    with pytest.raises(openai.APIStatusError) as refused:
        client.batches.create(**asked)
    assert (refused.value.status_code, refused.value.param) == (status, param)


def test_files_can_be_listed_read_and_deleted(client: openai.OpenAI) -> None:
    """An uploaded file is returned byte for byte, whatever it contains, until it is deleted."""
    content = b'{"a": "\xc3\xa9\x00"}\r\n--boundary\n\n'
    file = client.files.create(
        file=("odd name.jsonl", content), purpose="batch"
    )
    assert (file.filename, file.bytes, file.purpose) == (
        "odd name.jsonl",
        len(content),
        "batch",
    )
    assert client.files.content(file.id).content == content
    assert (
        [one.id for one in client.files.list()]
        == [file.id]
        == [client.files.retrieve(file.id).id]
    )
    assert client.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError, match="No such File object"):
        client.files.content(file.id)
    assert list(client.files.list()) == []


def test_another_purpose_is_refused(client: openai.OpenAI) -> None:
    """The offline API does not use fine-tuning files, and says so."""
    with pytest.raises(
        openai.BadRequestError, match="only files with purpose 'batch'"
    ):
        client.files.create(file=("train.jsonl", b"{}"), purpose="fine-tune")


def test_what_is_kept_has_a_bound(client: openai.OpenAI) -> None:
    """Too many bytes or files are refused with a message that says what to do. Deleting a file
    makes room.
    """
    file = client.files.create(file=("big.jsonl", b"x" * ROOM), purpose="batch")
    with pytest.raises(openai.APIStatusError, match="Delete some") as refused:
        client.files.create(file=("more.jsonl", b"x"), purpose="batch")
    assert refused.value.status_code == 413
    client.files.delete(file.id)
    for number in range(MOST):
        client.files.create(file=(f"{number}.jsonl", b"x"), purpose="batch")
    with pytest.raises(openai.APIStatusError, match="Delete some"):
        client.files.create(file=("more.jsonl", b"x"), purpose="batch")


def test_what_is_not_recorded_is_told_at_once(client: openai.OpenAI) -> None:
    """If a batch's answers do not exist, creating the batch raises RecordingNotFound, so you do not
    wait in vain.
    """
    with pytest.raises(RecordingNotFound):
        submit(client, line("new", params("What is the capital of Chad?")))


def test_rate_limits_do_not_touch_a_batch(recordings: Path) -> None:
    """Four requests in a batch pass even though the account allows one request per minute, which is
    still available.
    """
    client = connect(
        "replay",
        recordings=recordings,
        speed="instant",
        max_retries=0,
        rate_limit={"rpm": 1},
    )
    assert (
        after(client, submit(client, lines()), 15).request_counts.completed == 3
    )
    client.chat.completions.create(**params(ASKED[0]))


def test_faults_strike_files_and_batches(recordings: Path) -> None:
    """The server can make any request fail, including one for a batch."""
    client = connect(
        "replay",
        recordings=recordings,
        speed="instant",
        max_retries=0,
        faults=Fault("server_error"),
    )
    with pytest.raises(openai.InternalServerError):
        client.files.list()
    assert list(client.files.list()) == []


def test_a_batch_on_a_socket(recordings: Path) -> None:
    """The server offers the same endpoints, and every learner has separate files and batches."""
    with served(recordings) as server:
        ada, ben = server.client("ada"), server.client("ben")
        batch = ada.batches.retrieve(submit(ada, lines()).id)
        assert batch.status == "completed"
        assert (
            results(ada, batch.output_file_id)["q2"]["body"]["choices"][0][
                "message"
            ]["content"]
            == "Rome."
        )
        assert list(ben.files.list()) == list(ben.batches.list()) == []
        with pytest.raises(openai.NotFoundError, match="No batch found"):
            ben.batches.retrieve(batch.id)
        with pytest.raises(openai.NotFoundError, match="No such File object"):
            ben.files.content(batch.output_file_id)
        with pytest.raises(openai.NotFoundError, match="Invalid URL"):
            ada.post("/files/x/y/z", cast_to=object)
        assert server.logged("POST /v1/batches 200")
        told = server.admin("GET", "/admin/learners").json()["learners"]
        assert [(one["statuses"], one["dollars"]) for one in told] == [
            ({"200": 4, "404": 1}, "0"),
            ({"200": 2, "404": 2}, "0"),
        ]


def test_a_key_is_needed_on_a_socket(recordings: Path) -> None:
    """Without the token, nothing is saved and nothing is revealed."""
    with served(recordings, access_token="correct-horse") as server:
        with pytest.raises(openai.AuthenticationError):
            server.client("wrong").files.list()
        assert list(server.client("correct-horse-ada").files.list()) == []


def test_a_large_file_is_refused_before_it_is_read(recordings: Path) -> None:
    """The limit of a request's body also applies to uploads."""
    with (
        served(recordings) as server,
        pytest.raises(openai.APIStatusError) as refused,
    ):
        server.client().files.create(
            file=("big.jsonl", b"x" * 9_000_000), purpose="batch"
        )
    assert refused.value.status_code == 413


def test_a_miss_on_a_socket_is_a_404(recordings: Path) -> None:
    """A missing recording is reported when the batch is created, in the words of
    RecordingNotFound."""
    with served(recordings) as server:
        with pytest.raises(openai.NotFoundError) as refused:
            submit(
                server.client(),
                line("new", params("What is the capital of Chad?")),
            )
        assert refused.value.code == "recording_not_found"
