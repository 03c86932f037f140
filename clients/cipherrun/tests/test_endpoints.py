"""Every endpoint: what it answers, and every error that is documented for it, in both colours."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import cipherrun
import pytest
from cipherrun import _endpoints as endpoints
from cipherrun import models
from cipherrun._endpoints import Endpoint, Permission
from cipherrun.models._base import Model
from colours import Caller
from conftest import MakeCaller
from refusals import MAX_BODY, ApiError, api_error, rate_limited
from serving import Running
from starlette.responses import PlainTextResponse, Response

Arguments = tuple[Any, ...]


class Case(NamedTuple):
    """An endpoint, the method that asks it, and good arguments."""

    endpoint: Endpoint[Any]
    method: str
    arguments: Callable[[Caller], Arguments]
    answer: type


def nothing(call: Caller) -> Arguments:
    """No arguments."""
    return ()


def a_scan(call: Caller) -> Arguments:
    """A scan that goes on."""
    return (call("create_scan", "hold.test").scan_id,)


def a_completed_scan(call: Caller) -> Arguments:
    """A scan that has completed."""
    scan = call("create_scan", "example.com")
    call("wait_for_scan", scan.scan_id, 0.05)
    return (scan.scan_id,)


def a_policy(call: Caller) -> Arguments:
    """A policy."""
    return (call("create_policy", "strict", "protocols: none").id,)


CASES = [
    Case(endpoints.CREATE_SCAN, "create_scan", lambda call: ("example.com",), models.ScanResponse),
    Case(endpoints.GET_SCAN_STATUS, "get_scan_status", a_scan, models.ScanStatusResponse),
    Case(endpoints.GET_SCAN_RESULTS, "get_scan_results", a_completed_scan, models.ScanResults),
    Case(endpoints.CANCEL_SCAN, "cancel_scan", a_scan, bool),
    Case(endpoints.STREAM_PROGRESS, "stream_progress", a_completed_scan, list),
    Case(endpoints.LIST_CERTIFICATES, "list_certificates", nothing, models.CertificateListResponse),
    Case(endpoints.GET_CERTIFICATE, "get_certificate", lambda call: (f"{1:064x}",), models.CertificateSummary),
    Case(endpoints.CHECK_COMPLIANCE, "check_compliance", lambda call: ("pci", "a.test"), models.ComplianceReport),
    Case(endpoints.CREATE_POLICY, "create_policy", lambda call: ("strict", "a: b"), models.PolicyResponse),
    Case(endpoints.GET_POLICY, "get_policy", a_policy, models.PolicyResponse),
    Case(
        endpoints.EVALUATE_POLICY,
        "evaluate_policy",
        lambda call: (*a_policy(call), "a.test"),
        models.PolicyEvaluationResponse,
    ),
    Case(endpoints.GET_SCAN_HISTORY, "get_scan_history", lambda call: ("a.test",), models.ScanHistoryResponse),
    Case(endpoints.GET_API_STATS, "get_api_stats", nothing, models.StatsResponse),
    Case(endpoints.HEALTH_CHECK, "health_check", nothing, models.HealthResponse),
]

BY_STATUS: Mapping[int, type[cipherrun.CipherRunError]] = {
    400: cipherrun.BadRequestError,
    401: cipherrun.UnauthorizedError,
    403: cipherrun.ForbiddenError,
    404: cipherrun.NotFoundError,
    408: cipherrun.TimeoutError,
    409: cipherrun.ConflictError,
    413: cipherrun.APIError,
    415: cipherrun.APIError,
    422: cipherrun.ValidationError,
    429: cipherrun.RateLimitError,
    500: cipherrun.InternalServerError,
    503: cipherrun.ServiceUnavailableError,
}

PLAYED: dict[int, Callable[[], Response]] = {
    400: lambda: api_error(ApiError(400, "VALIDATION_ERROR", "Validation error: no")),
    401: lambda: api_error(ApiError(401, "UNAUTHORIZED", "Unauthorized: no")),
    403: lambda: api_error(ApiError(403, "FORBIDDEN", "Forbidden: no")),
    404: lambda: Response(status_code=404),
    408: lambda: api_error(ApiError(408, "TIMEOUT", "Request timeout: 300 s")),
    409: lambda: api_error(ApiError(409, "CONFLICT", "Conflict: no")),
    413: lambda: PlainTextResponse("length limit exceeded", 413),
    415: lambda: PlainTextResponse("Expected request with `Content-Type: application/json`", 415),
    422: lambda: PlainTextResponse("Failed to deserialize the JSON body into the target type", 422),
    429: lambda: rate_limited(100, 7),
    500: lambda: api_error(ApiError(500, "INTERNAL_ERROR", "Internal error: no")),
    503: lambda: api_error(ApiError(503, "SERVICE_UNAVAILABLE", "Service unavailable: no")),
}


def titles(case: Case) -> str:
    return case.method


def test_every_endpoint_is_described() -> None:
    """There are the fourteen endpoints of the API, each with a case below."""
    described = {value for value in vars(endpoints).values() if isinstance(value, Endpoint)}
    assert len(described) == 14
    assert described == {case.endpoint for case in CASES}


def test_the_readme_lists_them() -> None:
    """The table of the README names each method, its endpoint and its permission as they are described."""
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    rows = re.findall(r"^\| `(\w+)\(.*?\)` \| `(\w+) (/[^`]*)`.*? \| (\w+) \|$", readme, re.MULTILINE)
    assert {(name, method, re.sub(r"{\w+}", "{}", path), needed) for name, method, path, needed in rows} == {
        (
            case.method,
            case.endpoint.method,
            re.sub(r"{\w+}", "{}", case.endpoint.path.removeprefix("/api/v1")),
            case.endpoint.permission.value,
        )
        for case in CASES
    }


@pytest.mark.parametrize("case", CASES, ids=titles)
def test_answer(call: Caller, case: Case) -> None:
    """Each endpoint answers with its model, of which nothing is left unread."""
    answer = call(case.method, *case.arguments(call))
    assert type(answer) is case.answer
    for unread in unread_fields(answer):
        pytest.fail(f"the model has no field for {unread}")


def unread_fields(answer: Any) -> list[str]:
    """The fields of an answer, and of what is in it, that its model does not know."""
    if isinstance(answer, Model):
        inner = [unread_fields(value) for value in answer.__dict__.values()]
        return [*(answer.model_extra or ()), *[name for names in inner for name in names]]
    if isinstance(answer, (list, dict)):
        parts = answer.values() if isinstance(answer, dict) else answer
        return [name for part in parts for name in unread_fields(part)]
    return []


@pytest.mark.parametrize(
    ("case", "status"),
    [(case, status) for case in CASES for status in sorted(case.endpoint.all_errors | {409})],
    ids=lambda value: value.method if isinstance(value, Case) else str(value),
)
def test_played_error(make: MakeCaller, server: Running, case: Case, status: int) -> None:
    """Each documented error of each endpoint becomes the exception of its status, with what the server said."""
    arguments = case.arguments(make())
    call = make(max_retries=0)
    server.standin.played.extend(PLAYED[status]() for _ in range(2 if case.endpoint.websocket else 1))
    with pytest.raises(BY_STATUS[status]) as caught:
        call(case.method, *arguments)
    assert caught.value.status_code == status
    assert type(caught.value) is BY_STATUS[status]
    assert caught.value.message
    assert getattr(caught.value, "retry_after", 7) == 7


class Real(NamedTuple):
    """A call that the server itself refuses."""

    method: str
    arguments: Callable[[Caller], Arguments]
    status: int
    message: str = "."
    key: str | None = "user"
    setup: Mapping[str, object] = MappingProxyType({})


def same(*arguments: Any) -> Callable[[Caller], Arguments]:
    """These arguments."""
    return lambda call: arguments


Options = cipherrun.ScanOptions
REAL = [
    Real("create_scan", same("https://a.test/"), 400, "Bad request: "),
    Real("create_scan", same("a.test", Options()), 400, "at least one scan phase"),
    Real("create_scan", same("a.test", Options(full_scan=True, timeout_seconds=0)), 400, "timeout_seconds"),
    Real("create_scan", same("a.test", Options(full_scan=True, ipv4_only=True, ipv6_only=True)), 400, "exclusive"),
    Real("create_scan", same("a.test", Options(full_scan=True, ip="10.0.0.1")), 400, "public"),
    Real("create_scan", same("a.test", None, "http://127.0.0.1/hook"), 400, "webhook"),
    Real("create_scan", same("a.test"), 401, "API key", key=None),
    Real("create_scan", same("a.test"), 403, "Insufficient permissions", key="reader"),
    Real("create_scan", same("a" * MAX_BODY), 413, "length limit"),
    Real("create_scan", same("a.test"), 503, "queue is full", setup={"queue_capacity": 0}),
    Real("get_scan_status", same("none"), 404, "Scan none not found"),
    Real("get_scan_status", same("../certificates"), 404),
    Real("get_scan_status", same("none"), 401, "API key", key="wrong"),
    Real("get_scan_results", same("none"), 404, "not found"),
    Real("get_scan_results", a_scan, 400, "not completed yet"),
    Real("cancel_scan", same("none"), 404, "not found"),
    Real("cancel_scan", a_completed_scan, 400, "already completed"),
    Real("cancel_scan", same("none"), 403, "Insufficient", key="reader"),
    Real("stream_progress", same("none"), 404, "Scan none not found"),
    Real("stream_progress", same("none"), 401, "API key", key=None),
    Real("list_certificates", same(None, None, 0), 400, "limit"),
    Real("list_certificates", same(None, None, 50, 0, "name"), 400, "sort"),
    Real("list_certificates", same(None, "soon"), 400, "invalid digit"),
    Real("list_certificates", same(), 503, "Database not configured", setup={"database": False}),
    Real("get_certificate", same("abc"), 400, "fingerprint"),
    Real("get_certificate", same("f" * 64), 404, "not found"),
    Real("get_certificate", same("f" * 64), 503, "Database not configured", setup={"database": False}),
    Real("check_compliance", same("fedramp", "a.test"), 404, "fedramp"),
    Real("check_compliance", same("pci", ""), 400, "target"),
    Real("check_compliance", same("pci", "fail.test"), 500, "Scanner error"),
    Real("create_policy", same("strict", "none"), 400, "YAML"),
    Real("create_policy", same("a/b", "a: b"), 400, "name"),
    Real("create_policy", same("strict", "a: b"), 403, "Insufficient", key="reader"),
    Real("create_policy", same("strict", "a: b"), 503, "not configured", setup={"policies": False}),
    Real("get_policy", same("none"), 404, "Policy none not found"),
    Real("get_policy", same("a b"), 400, "policy id"),
    Real("get_policy", same("none"), 503, "not configured", setup={"policies": False}),
    Real("evaluate_policy", same("none", "a.test"), 404, "not found"),
    Real("evaluate_policy", lambda call: (*a_policy(call), "http://a.test"), 400, "invalid target"),
    Real("evaluate_policy", same("none", "a.test"), 503, "not configured", setup={"policies": False}),
    Real("get_scan_history", same("a.test", 443, 1001), 400, "limit"),
    Real("get_scan_history", same("a.test"), 503, "Database not configured", setup={"database": False}),
    Real("get_api_stats", same(), 500, "Database error", setup={"database_broken": True}),
    Real("get_api_stats", same(), 401, "API key", key=None),
]


@pytest.mark.parametrize("real", REAL, ids=lambda real: f"{real.method}-{real.status}-{real.message}")
def test_real_error(make: MakeCaller, server: Running, real: Real) -> None:
    """What the server refuses becomes the exception of its status, and the message is the server's."""
    call = make(real.key, max_retries=0)
    arguments = real.arguments(call)
    for name, value in real.setup.items():
        setattr(server.standin.setup, name, value)
    with pytest.raises(BY_STATUS[real.status], match=real.message) as caught:
        call(real.method, *arguments)
    assert caught.value.status_code == real.status


def test_permissions_hold_the_method(server: Running, make: MakeCaller) -> None:
    """A key that may only read is refused exactly where the description says that more is needed."""
    user, reader = make(), make("reader")
    for case in CASES:
        arguments = case.arguments(user)
        if case.endpoint.permission is Permission.USER:
            with pytest.raises(cipherrun.ForbiddenError):
                reader(case.method, *arguments)
        else:
            reader(case.method, *arguments)


def test_health_needs_no_key(make: MakeCaller, server: Running) -> None:
    """How the server is can be asked without a key, and is told when its database is broken, too."""
    server.standin.setup.database_broken = True
    assert make(None)("health_check").status == "degraded"


def test_details_are_kept(call: Caller) -> None:
    """What an error says beside its message is in the exception."""
    with pytest.raises(cipherrun.BadRequestError) as caught:
        call("create_policy", "strict", "none")
    assert caught.value.details == "rules: invalid type"
