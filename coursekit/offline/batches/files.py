"""/v1/files of the offline API: files for the Batch API, in memory, for one client or one learner.

Objects have the shapes of the SDK's types (openai.types.FileObject, FileDeleted). Left out: every
purpose except "batch", and files that expire.
"""

from __future__ import annotations

import email.policy
import random
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from email.parser import BytesParser
from typing import Any

from ..exchange import ApiAnswer, ApiRequest, error_answer, json_answer
from ..rules import refusals

FILES = "/v1/files"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
# bytes of all files of a client, input and output; the real API accepts 200 MB in one batch
ROOM = 4_000_000
MOST = 200  # files; a page of the real list holds 10,000


class StorageFull(Exception):
    """There is no room for another file."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """``created_at`` in seconds since 1970; ``purpose`` "batch" (input) or "batch_output"."""

    id: str
    content: bytes
    filename: str
    purpose: str
    created_at: int

    def as_dict(self) -> dict[str, Any]:
        return {
            "object": "file",
            "id": self.id,
            "purpose": self.purpose,
            "filename": self.filename,
            "bytes": len(self.content),
            "created_at": self.created_at,
            "expires_at": None,
            "status": "processed",
            "status_details": None,
        }


@dataclass(eq=False)
class FileStore:
    """Stores files, and answers the requests to /v1/files and its subpaths.

    stamp  the time in seconds since 1970
    rng    source of the ids
    """

    stamp: Callable[[], int]
    rng: random.Random

    def __post_init__(self) -> None:
        self._files: dict[str, StoredFile] = {}
        self._lock = threading.Lock()

    def add(self, content: bytes, filename: str, purpose: str) -> StoredFile:
        """Store a file. Raises StorageFull for too many files, or too many bytes."""
        with self._lock:
            used = sum(len(file.content) for file in self._files.values())
            if len(self._files) >= MOST or used + len(content) > ROOM:
                raise StorageFull
            name = "file-" + "".join(self.rng.choices(ALPHABET, k=22))
            self._files[name] = file = StoredFile(
                name, content, filename, purpose, self.stamp()
            )
            return file

    def get(self, name: str) -> StoredFile | None:
        return self._files.get(name)

    def answer(self, request: ApiRequest) -> ApiAnswer:
        """The answer to a request whose path is /v1/files or begins with it."""
        name, _, rest = below(FILES, request.path).partition("/")
        match (request.method, bool(name), rest):
            case ("POST", False, _):
                return self._upload(request)
            case ("GET", False, _):
                return page(
                    file.as_dict() for file in list(self._files.values())
                )
            case ("GET", True, "" | "content") | ("DELETE", True, ""):
                return self._one(request.method, name, rest)
        return refusals.invalid_url(request)

    def _one(self, method: str, name: str, rest: str) -> ApiAnswer:
        file = self.get(name)
        if file is None:
            return no_such_file(name)
        if rest:
            headers = {"content-type": "application/octet-stream"}
            return ApiAnswer(200, headers, file.content)
        if method == "GET":
            return json_answer(200, file.as_dict())
        with self._lock:
            self._files.pop(name, None)
        return json_answer(200, {"object": "file", "id": name, "deleted": True})

    def _upload(self, request: ApiRequest) -> ApiAnswer:
        fields = form_fields(request)
        for name in ("file", "purpose"):
            if name not in fields:
                return refusals.refuse("missing", where=name)
        purpose = fields["purpose"][1].decode("utf-8", "replace")
        if purpose != "batch":
            text = (
                "The offline API accepts only files with purpose 'batch', but this one has purpose "
                f"'{purpose[:40]}'."
            )
            return refusals.refusal(text, param="purpose", code="invalid_value")
        filename, content = fields["file"]
        try:
            file = self.add(content, filename or "upload.jsonl", purpose)
        except StorageFull:
            return full()
        return json_answer(200, file.as_dict())


def form_fields(request: ApiRequest) -> dict[str, tuple[str, bytes]]:
    """The fields of a multipart/form-data body: name -> (file name or "", content)."""
    kind = request.headers.get("content-type", "")
    if not kind.lower().startswith("multipart/form-data"):
        return {}
    head = b"Content-Type: " + kind.encode("latin-1", "replace") + b"\r\n\r\n"
    form = BytesParser(policy=email.policy.HTTP).parsebytes(head + request.raw)
    fields = {}
    for part in form.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            fields[name] = (part.get_filename() or "", content)
    return fields


def below(root: str, path: str) -> str:
    """The rest of a path below this root."""
    return path.removeprefix(root).strip("/")


def page(oldest_first: Iterable[dict[str, Any]]) -> ApiAnswer:
    """A list in the API's shape, the newest first, all on one page."""
    data = list(oldest_first)[::-1]
    first, last = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    return json_answer(
        200,
        {
            "object": "list",
            "data": data,
            "first_id": first,
            "last_id": last,
            "has_more": False,
        },
    )


def no_such_file(name: str) -> ApiAnswer:
    return refusals.refusal(
        f"No such File object: {name[:80]}", param="id", status=404
    )


def full() -> ApiAnswer:
    text = (
        f"The offline API stores at most {ROOM:,} bytes and {MOST} files for a client, so there is "
        "no room for this one. Delete some: client.files.delete(id)."
    )
    return error_answer(413, text, code="storage_full")
