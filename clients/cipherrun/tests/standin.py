"""A stand-in for the CipherRun server, written from a description of its API: it scans nothing.

It answers as the real one does where clients can tell: routes, permissions,
three shapes of error bodies, the rate limiter, the life of a scan, and the
traps of the stream of progress (nothing is said to those who come late; a
queued scan is cancelled in silence; "completed" is said before the results
are there; who is too slow is cut off).

What a target's name begins with decides what becomes of its scan: ``fail``
fails, ``hold`` stays at 15 percent until it is released, others complete.
"""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import samples
from refusals import (
    PHASES,
    ApiError,
    Rejection,
    answer_api_error,
    answer_nothing,
    answer_rejection,
    api_error,
    bad,
    canonical,
    check_options,
    check_webhook,
    json_body,
    missing,
    number,
    rate_limited,
    unavailable,
)
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

STAGES = (
    (0, "Starting scan"),
    (5, "Initializing scanner"),
    (10, "Resolving target"),
    (15, "Starting TLS scan"),
    (95, "Finalizing results"),
)
FRAMEWORKS = {
    "pci-dss-v4": "pci-dss-v4",
    "pci-dss": "pci-dss-v4",
    "pci": "pci-dss-v4",
    "nist-sp800-52r2": "nist-sp800-52r2",
    "nist": "nist-sp800-52r2",
    "hipaa": "hipaa",
    "soc2": "soc2",
    "mozilla-modern": "mozilla-modern",
    "mozilla-intermediate": "mozilla-intermediate",
    "gdpr": "gdpr",
    "nist-sp800-131a": "nist-sp800-131a",
    "nist-fips-pqc": "nist-fips-pqc",
}
SORTS = ("expiry_asc", "expiry_desc", "issued_asc", "issued_desc")


@dataclass
class Setup:
    """How the server was set up; tests change it while it runs."""

    keys: dict[str, str] = field(default_factory=lambda: {"user": "User", "reader": "ReadOnly", "admin": "Admin"})
    database: bool = True
    database_broken: bool = False
    policies: bool = True
    queue_capacity: int = 1000
    remembered: int = 1000
    workers: int = 200
    requests_per_minute: int = 1_000_000
    shape: str = "0.3"
    pace: float = 0.001
    storing: float = 0.02
    ping: float = 30.0


class Scan:
    """A scan, and those who listen to it."""

    def __init__(self, target: str, options: dict[str, Any] | None) -> None:
        self.phases = options and [phase for phase in PHASES if options.get(phase)]
        self.id = str(uuid.uuid4())
        self.target = target
        self.status = "queued"
        self.progress = 0
        self.stage: str | None = None
        self.error: str | None = None
        self.queued_at = now()
        self.ended = False
        self.released = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.listeners: set[asyncio.Queue[dict[str, Any] | str]] = set()
        self.deserted = asyncio.Event()
        if not target.startswith("hold"):
            self.released.set()

    def say(self, kind: str, progress: int, stage: str, details: str | None = None) -> None:
        """Tell those who listen now; nobody else will hear of it."""
        message = {"msg_type": kind, "scan_id": self.id, "progress": progress, "stage": stage, "timestamp": now()}
        for listener in self.listeners:
            listener.put_nowait({**message, "details": details} if details else message)

    def babble(self, frame: str) -> None:
        """Send a frame as it is to those who listen."""
        for listener in self.listeners:
            listener.put_nowait(frame)

    def lag(self) -> None:
        """Cut those off who listen."""
        for listener in self.listeners:
            listener.put_nowait({"type": "lagged", "scan_id": self.id, "message": "Too slow"})

    def end(self, status: str, error: str | None = None) -> None:
        """Store how it ended."""
        self.status, self.error, self.ended = status, error, True
        if status == "completed":
            self.progress = 100

    @property
    def described(self) -> dict[str, Any]:
        """The scan as its status shows it."""
        return {
            "scan_id": self.id,
            "status": self.status,
            "progress": self.progress,
            "current_stage": self.stage,
            "eta_seconds": None,
            "started_at": self.queued_at if self.status != "queued" else None,
            "completed_at": now() if self.ended else None,
            "error": self.error,
            "results_url": f"/api/v1/scan/{self.id}/results" if self.status == "completed" else None,
        }


def now() -> str:
    """The time as the server writes it, to the nanosecond."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f789Z")


class Standin:
    """The server's state, and its ASGI application in ``app``.

    Attributes:
        requests: every request that arrived, as (method, path, headers).
        created: every scan that was made, in order.
        played: answers that the next requests get instead of their own.
        weather: called with each request; what it returns is the answer instead.
    """

    def __init__(self, setup: Setup) -> None:
        self._running: set[asyncio.Task[None]] = set()
        self.reset(setup)
        self.app = Starlette(
            routes=self._routes(),
            lifespan=self._lifespan,
            middleware=[Middleware(GZipMiddleware), Middleware(Gate, standin=self)],
            exception_handlers={
                ApiError: answer_api_error,
                Rejection: answer_rejection,
                404: answer_nothing,
                405: answer_nothing,
            },
        )

    def reset(self, setup: Setup) -> None:
        """Begin anew."""
        self.setup = setup
        self.requests: list[tuple[str, str, Headers]] = []
        self.created: list[Scan] = []
        self.played: deque[Response] = deque()
        self.weather: Callable[[HTTPConnection], Response | None] = lambda request: None
        self.scans: dict[str, Scan] = {}
        self._policies: dict[str, dict[str, Any]] = {}
        self._spent: dict[str, float] = {}
        self.workers = asyncio.Semaphore(setup.workers)
        self._stop()

    def _stop(self) -> None:
        for task in self._running:
            task.cancel()

    def _routes(self) -> list[Route | WebSocketRoute]:
        def route(path: str, method: str, handler: Handler) -> Route:
            return Route(f"/api/v1{path}", handler, methods=[method])

        return [
            route("/scan", "POST", self.create_scan),
            route("/scan/{id}", "GET", self.scan_status),
            route("/scan/{id}", "DELETE", self.cancel_scan),
            route("/scan/{id}/results", "GET", self.scan_results),
            WebSocketRoute("/api/v1/scan/{id}/stream", self.stream),
            route("/certificates", "GET", self.certificates),
            route("/certificates/{fingerprint}", "GET", self.certificate),
            route("/compliance/{framework}", "GET", self.compliance),
            route("/policies", "POST", self.create_policy),
            route("/policies/{id}", "GET", self.policy),
            route("/policies/{id}/evaluate", "POST", self.evaluate),
            route("/history/{domain}", "GET", self.history),
            route("/stats", "GET", self.stats),
            route("/health", "GET", self.health),
            Route("/health", self.health, methods=["GET"]),
        ]

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        yield
        self._stop()

    # scans

    async def create_scan(self, request: Request) -> Response:
        body = await json_body(request, target=str)
        target = canonical(body["target"], body.get("options"))
        check_options(body.get("options"))
        check_webhook(body.get("webhook_url"))
        if sum(not scan.ended for scan in self.scans.values()) >= self.setup.queue_capacity:
            raise unavailable("Job queue is full")
        scan = Scan(target, body.get("options"))
        self.scans[scan.id] = scan
        self.created.append(scan)
        task = asyncio.create_task(self._execute(scan))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return JSONResponse(
            {
                "scan_id": scan.id,
                "status": "queued",
                "target": target,
                "websocket_url": f"/api/v1/scan/{scan.id}/stream",
                "queued_at": scan.queued_at,
                "estimated_completion": None,
            },
            201,
        )

    async def _execute(self, scan: Scan) -> None:
        async with self.workers:
            if scan.ended:  # cancelled while it was queued: nobody is told
                return
            scan.status = "running"
            for progress, stage in STAGES:
                scan.progress, scan.stage = progress, stage
                scan.say("progress", progress, stage)
                await asyncio.sleep(self.setup.pace)
                if progress == 15:
                    await first_of(scan.released, scan.cancelled)
                if scan.cancelled.is_set():
                    scan.say("cancelled", scan.progress, "cancelled")
                    return
                if progress == 15 and scan.target.startswith("fail"):
                    scan.say("failed", 0, "failed", "connection refused")
                    scan.end("failed", "connection refused")
                    return
            scan.say("completed", 100, "completed")
            await asyncio.sleep(self.setup.storing)  # said before it is true
            scan.end("completed")
        self._forget()

    def _forget(self) -> None:
        ended = [scan for scan in self.scans.values() if scan.ended]
        for scan in ended[: max(len(ended) - self.setup.remembered, 0)]:
            del self.scans[scan.id]

    async def scan_status(self, request: Request) -> Response:
        return JSONResponse(self._scan(request).described)

    async def scan_results(self, request: Request) -> Response:
        scan = self._scan(request)
        if scan.status in ("queued", "running"):
            raise bad(f"Scan is not completed yet (status: {scan.status.title()})")
        if scan.status != "completed":
            raise bad(f"Scan {scan.status}")
        return JSONResponse(samples.results(scan.target, self.setup.shape))

    async def cancel_scan(self, request: Request) -> Response:
        scan = self._scan(request)
        if scan.ended:
            raise bad(f"Scan is already {scan.status}")
        scan.end("cancelled")
        scan.cancelled.set()
        return JSONResponse({"message": "Scan cancelled successfully", "scan_id": scan.id})

    def _scan(self, connection: HTTPConnection) -> Scan:
        identity = connection.path_params["id"]
        if identity not in self.scans:
            raise missing(f"Scan {identity}")
        return self.scans[identity]

    async def stream(self, socket: WebSocket) -> None:
        try:
            scan = self._scan(socket)
        except ApiError as error:
            await socket.send_denial_response(JSONResponse(error.body, error.status))
            return
        mailbox: asyncio.Queue[dict[str, Any] | str] = asyncio.Queue()
        scan.listeners.add(mailbox)
        await socket.accept()
        closed = asyncio.create_task(until_closed(socket))
        try:
            greeting = "Connected to scan progress stream"
            await socket.send_json({"type": "connected", "scan_id": scan.id, "message": greeting})
            while not closed.done():
                waiting = asyncio.create_task(mailbox.get())
                await asyncio.wait({waiting, closed}, return_when=asyncio.FIRST_COMPLETED)
                if not waiting.done():
                    waiting.cancel()
                    return
                message = waiting.result()
                if isinstance(message, str):
                    await socket.send_text(message)
                    continue
                await socket.send_json(message)
                if message.get("msg_type", "lagged") != "progress":
                    await socket.close()
                    return
        except (WebSocketDisconnect, RuntimeError):  # gone while something was sent
            pass
        finally:
            scan.listeners.discard(mailbox)
            scan.deserted.set()
            closed.cancel()

    # certificates, compliance, policies

    async def certificates(self, request: Request) -> Response:
        query = request.query_params
        limit, offset = number(query, "limit", 50), number(query, "offset", 0)
        sort = query.get("sort", "expiry_asc")
        if not 1 <= limit <= 1000:
            raise bad("limit must be between 1 and 1000")
        if sort not in SORTS:
            raise bad(f"invalid sort {sort}")
        self._need_database()
        found = [each for each in samples.INVENTORY if query.get("hostname") in (None, *each["hostnames"])]
        within = number(query, "expiring_within_days", 10_000)
        found = [each for each in found if each["days_until_expiry"] <= within]
        found.sort(key=lambda each: each["valid_until"], reverse=sort.endswith("desc"))
        page = found[offset : offset + limit]
        return JSONResponse({"total": len(found), "offset": offset, "limit": limit, "certificates": page})

    async def certificate(self, request: Request) -> Response:
        fingerprint = request.path_params["fingerprint"]
        if not re.fullmatch(r"[0-9a-fA-F]{64}|([0-9a-fA-F]{2}:){31}[0-9a-fA-F]{2}", fingerprint):
            raise bad("invalid fingerprint")
        self._need_database()
        digits = fingerprint.replace(":", "").lower()
        for each in samples.INVENTORY:
            if each["fingerprint"] == digits:
                return JSONResponse(each)
        raise missing(f"Certificate {fingerprint}")

    async def compliance(self, request: Request) -> Response:
        query = request.query_params
        detailed = query.get("detailed", "false")
        if detailed not in ("true", "false"):
            raise Rejection(
                400, "Failed to deserialize query string: detailed: provided string was not `true` or `false`"
            )
        if "target" not in query:
            raise bad("target is required")
        framework = FRAMEWORKS.get(request.path_params["framework"])
        if framework is None:
            raise missing(f"Framework {request.path_params['framework']}")
        target = canonical(query["target"], None)
        if target.startswith("fail"):
            raise ApiError(500, "SCANNER_ERROR", "Scanner error: connection refused")
        return JSONResponse(samples.compliance(framework, target, detailed == "true"))

    async def create_policy(self, request: Request) -> Response:
        body = await json_body(request, name=str, rules=str)
        if not self.setup.policies:
            raise unavailable("Policy storage not configured")
        if not re.fullmatch(r"[\w -]+", body["name"]):
            raise bad("invalid policy name")
        if ":" not in body["rules"]:
            raise bad("invalid policy YAML", "rules: invalid type")
        policy = samples.policy(body["name"], body.get("description"), body["rules"], body.get("enabled", True))
        known = policy["id"] in self._policies
        self._policies[policy["id"]] = policy
        return JSONResponse(policy, 200 if known else 201)

    async def policy(self, request: Request) -> Response:
        return JSONResponse(self._policy(request))

    async def evaluate(self, request: Request) -> Response:
        body = await json_body(request, target=str)
        policy = self._policy(request)
        target = canonical(body["target"], body.get("options"))
        check_options(body.get("options"))
        return JSONResponse(samples.evaluation(policy["id"], policy["name"], target, str(uuid.uuid4())))

    def _policy(self, request: Request) -> dict[str, Any]:
        identity = request.path_params["id"]
        if not re.fullmatch(r"[\w-]+", identity):
            raise bad("invalid policy id")
        if not self.setup.policies:
            raise unavailable("Policy storage not configured")
        if identity not in self._policies:
            raise missing(f"Policy {identity}")
        return self._policies[identity]

    # what was stored, and how the server is

    async def history(self, request: Request) -> Response:
        limit = number(request.query_params, "limit", 10)
        if not 1 <= limit <= 1000:
            raise bad("limit must be between 1 and 1000")
        self._need_database()
        port = number(request.query_params, "port", 443)
        return JSONResponse(samples.history(request.path_params["domain"], port, limit))

    async def stats(self, request: Request) -> Response:
        if self.setup.database_broken:
            raise ApiError(500, "DATABASE_ERROR", "Database error: connection closed")
        return JSONResponse(samples.STATS)

    async def health(self, request: Request) -> Response:
        return JSONResponse(
            {
                "status": "degraded" if self.setup.database_broken else "healthy",
                "version": "0.3.1",
                "uptime_seconds": 60,
                "active_scans": 0,
                "queued_scans": 0,
                "database": "connected" if self.setup.database else None,
                "queue": "ok",
            }
        )

    def _need_database(self) -> None:
        if not self.setup.database:
            raise unavailable("Database not configured")

    def take_token(self, key: str) -> int:
        """Count a request; return the seconds until there is a token, or 0 if there was one."""
        rate = self.setup.requests_per_minute / 60
        at = time.monotonic()
        due = max(self._spent.get(key, 0.0), at) + 1 / rate
        wait = due - at - self.setup.requests_per_minute / rate
        if wait > 1e-6:
            return max(round(wait + 0.5), 1)
        self._spent[key] = due
        return 0


Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Gate:
    """What stands before the routes: recording, played answers, authentication, permissions, the rate limiter."""

    def __init__(self, app: ASGIApp, standin: Standin) -> None:
        self._app = app
        self._standin = standin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        method = scope.get("method", "WEBSOCKET")
        self._standin.requests.append((method, scope["path"], connection.headers))
        answer = self._standin.weather(connection) or self._played() or self._refusal(connection, method)
        if answer is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocket(scope, receive, send).send_denial_response(answer)
        else:
            await answer(scope, receive, send)

    def _played(self) -> Response | None:
        return self._standin.played.popleft() if self._standin.played else None

    def _refusal(self, connection: HTTPConnection, method: str) -> Response | None:
        path = connection.scope["path"]
        if path in ("/api/v1/health", "/health"):
            return None
        given = connection.headers.getlist("x-api-key") or connection.query_params.getlist("api_key")
        if len(given) > 1:
            return api_error(bad("duplicate API key"))
        permission = self._standin.setup.keys.get(given[0]) if given else None
        if permission is None:
            return api_error(ApiError(401, "UNAUTHORIZED", "Unauthorized: Invalid or missing API key"))
        if permission == "ReadOnly" and method not in ("GET", "WEBSOCKET"):
            return api_error(ApiError(403, "FORBIDDEN", "Forbidden: Insufficient permissions"))
        wait = 0 if permission == "Admin" else self._standin.take_token(given[0])
        return rate_limited(self._standin.setup.requests_per_minute, wait) if wait else None


async def first_of(*events: asyncio.Event) -> None:
    """Wait for one of several events."""
    waits: list[asyncio.Task[Any]] = [asyncio.create_task(event.wait()) for event in events]
    _, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in pending:
        wait.cancel()


async def until_closed(socket: WebSocket) -> None:
    """Wait until the client closes."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
