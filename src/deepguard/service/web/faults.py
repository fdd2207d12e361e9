"""One shape for everything that goes wrong, and the one table of HTTP statuses."""

from __future__ import annotations

import math
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from deepguard.errors import DeepguardError
from deepguard.service.web.closing import Closing, is_unread

log = structlog.get_logger(__name__)

STATUS: Mapping[str, int] = MappingProxyType(
    {
        "bad_request": 400,
        "key_required": 401,
        "key_wrong": 401,
        "forbidden": 403,
        "not_found": 404,
        "method": 405,
        "too_slow": 408,
        "wrong_state": 409,
        "cancelled": 409,
        "idempotency": 409,
        "not_reachable": 409,
        "expired": 410,
        "too_large": 413,
        "image_too_large": 413,
        "clip_too_large": 413,
        "unreadable_image": 415,
        "unreadable_clip": 415,
        "unsupported_clip": 415,
        "unsupported_image": 415,
        "option": 422,
        "input": 422,
        "no_face": 422,
        "worker_lost": 422,
        "over_time": 422,
        "over_memory": 422,
        "rate": 429,
        "quota": 429,
        "proof_rate": 429,
        "queue_full": 429,
        "internal": 500,
        "starting": 503,
        "weights": 503,
        "weights_missing": 503,
        "weights_corrupt": 503,
        "weights_unreachable": 503,
        "database_down": 503,
        "queue_down": 503,
        "store_down": 503,
        "output": 507,
        "disk_full": 507,
        "store_full": 507,
    }
)
"""Error code -> HTTP status. An error without a line here is a defect of ours: 500."""

AGAIN_SECONDS = 5
FULL_DISK = ("database or disk is full", "disk full", "No space left")


class Fault(DeepguardError):
    """Something that a caller is told, by its code in `STATUS`; `after` is when to try again, in seconds."""

    def __init__(self, code: str, message: str, *, after: float | None = None, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.after = after
        self.details = details


def register(app: FastAPI) -> None:
    """Answer every error in one shape; those that nobody expected are answered by the middleware."""
    app.add_exception_handler(DeepguardError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _plain)
    app.add_exception_handler(SQLAlchemyError, _database)


def answer(request: Request, fault: Fault) -> Response:
    """Return the answer to a request that went wrong: JSON, or a page for somebody who asked for one."""
    status = STATUS.get(fault.code, 500)
    headers = {}
    after = (
        fault.after
        if fault.after is not None
        else (AGAIN_SECONDS if status == HTTPStatus.SERVICE_UNAVAILABLE else None)
    )
    if after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(after)))
    body = {
        "code": fault.code if fault.code in STATUS else "internal",
        "message": str(fault),
        "details": fault.details,
        "request_id": getattr(request.state, "request_id", ""),
    }
    show = getattr(request.app.state, "show_fault", None)
    if show is not None and "text/html" in request.headers.get("accept", "") and "/api/" not in request.url.path:
        page: Response = show(request, body, status, headers)
        return page
    respond = Closing if is_unread(request) else JSONResponse
    return respond(body, status, headers)


def _ours(request: Request, error: Exception) -> Response:
    if isinstance(error, Fault):
        return answer(request, error)
    code = getattr(error, "code", "internal")
    if code not in STATUS:
        log.error("an error without a status", code=code, error=str(error))
    return answer(request, Fault(code, str(error)))


def _invalid(request: Request, error: Exception) -> Response:
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    listed = [{"where": ".".join(map(str, each["loc"])), "what": each["msg"]} for each in problems]
    first = f"{listed[0]['where']}: {listed[0]['what']}" if listed else "it cannot be read"
    return answer(request, Fault("option", f"the request does not fit: {first}", problems=listed))


def _plain(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    code = {404: "not_found", 405: "method", 413: "too_large"}.get(status, "bad_request")
    words = {404: "there is nothing here; see /docs for what there is", 405: "this address does not take this method"}
    detail = str(getattr(error, "detail", "")) or "the request cannot be understood"
    response = answer(request, Fault(code, words.get(status, detail)))
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        response.headers["Allow"] = _methods(request, error)
    return response


def _methods(request: Request, error: Exception) -> str:
    """Return all methods that an address takes; the error itself knows those of one of its functions only."""
    path = getattr(request.scope.get("route"), "path", "")
    described = ", ".join(sorted(map(str.upper, request.app.openapi()["paths"].get(path, ()))))
    return described or (getattr(error, "headers", None) or {}).get("Allow", "")


def _database(request: Request, error: Exception) -> Response:
    if any(word in str(error) for word in FULL_DISK):
        return answer(request, Fault("disk_full", "the disk is full; the operator must make room"))
    if isinstance(error, DBAPIError | PoolTimeout):
        log.error("the database does not answer", error=str(error))
        return answer(request, Fault("database_down", "the database does not answer; try again in a moment"))
    return unexpected(request, error)


def unexpected(request: Request, error: Exception) -> Response:
    """Log a defect of ours with everything about it, and return the answer that tells nothing of it."""
    log.exception("an unexpected error", exc_info=error)
    return answer(request, Fault("internal", "something went wrong here; the operator finds it by the request id"))
