"""Which page a browser's request is from: a page of another site can make a browser send requests,
but cannot hide their origin.
"""

from __future__ import annotations

from starlette.requests import Request

from .refused import refusal

ELSEWHERE = "Pages from other sites may not do this."


def from_own_page(request: Request) -> bool:
    """Whether a page of this server sent the request: browsers send an Origin with every request
    that changes something.
    """
    host = request.headers.get("host")
    own = f"http://{host}", f"https://{host}"
    return request.headers.get("origin") in own


def from_other_page(request: Request) -> bool:
    """Whether a page of another site sent it. Only browsers send an Origin."""
    return "origin" in request.headers and not from_own_page(request)


def require_own_page(request: Request) -> None:
    """Raise a Refusal unless a page of this server sent the request."""
    if not from_own_page(request):
        raise refusal(403, ELSEWHERE, "cross_origin")
