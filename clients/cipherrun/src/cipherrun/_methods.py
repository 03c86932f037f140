"""Operations as methods of both clients: what one returns, the other returns to whoever awaits it."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

from ._operations import Operations
from ._steps import Steps, Stream

P = ParamSpec("P")
T = TypeVar("T")


class Blocking(Protocol):
    """A client that takes steps while its caller waits."""

    _operations: Operations

    def _run(self, steps: Steps[T]) -> T: ...

    def _iterate(self, steps: Stream[T]) -> Generator[T, None, None]: ...


class Awaiting(Protocol):
    """A client that takes steps when it is awaited."""

    _operations: Operations

    def _run(self, steps: Steps[T]) -> Coroutine[Any, Any, T]: ...

    def _iterate(self, steps: Stream[T]) -> AsyncGenerator[T, None]: ...


class Method(Generic[P, T]):
    """An operation that returns something."""

    def __init__(self, operation: Callable[Concatenate[Operations, P], Steps[T]]) -> None:
        def method(client: Blocking, *args: P.args, **kwargs: P.kwargs) -> T:
            return client._run(operation(client._operations, *args, **kwargs))

        self._function = _presented(method, operation)

    @overload
    def __get__(self, client: Blocking, owner: type) -> Callable[P, T]: ...

    @overload
    def __get__(self, client: Awaiting, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...

    @overload
    def __get__(self, client: None, owner: type) -> Callable[..., Any]: ...

    def __get__(self, client: object, owner: type) -> Callable[..., Any]:
        return _bound(self._function, client)


class Streaming(Generic[P, T]):
    """An operation that is iterated over."""

    def __init__(self, operation: Callable[Concatenate[Operations, P], Stream[T]]) -> None:
        def method(client: Blocking, *args: P.args, **kwargs: P.kwargs) -> Generator[T, None, None]:
            return client._iterate(operation(client._operations, *args, **kwargs))

        self._function = _presented(method, operation)

    @overload
    def __get__(self, client: Blocking, owner: type) -> Callable[P, Generator[T, None, None]]: ...

    @overload
    def __get__(self, client: Awaiting, owner: type) -> Callable[P, AsyncGenerator[T, None]]: ...

    @overload
    def __get__(self, client: None, owner: type) -> Callable[..., Any]: ...

    def __get__(self, client: object, owner: type) -> Callable[..., Any]:
        return _bound(self._function, client)


def _presented(method: Callable[..., Any], operation: Callable[..., Any]) -> Callable[..., Any]:
    """Show an operation's name, parameters and documentation, and what its steps lead to."""
    functools.update_wrapper(method, operation)
    signature = inspect.signature(operation)
    outcome = str(signature.return_annotation)
    for steps in ("Steps", "Stream"):
        outcome = outcome.removeprefix(f"{steps}[")
    method.__signature__ = signature.replace(return_annotation=outcome.removesuffix("]"))  # type: ignore[attr-defined]  # what inspect looks for
    return method


def _bound(function: Callable[..., Any], client: object) -> Callable[..., Any]:
    return function if client is None else types.MethodType(function, client)


class Methods:
    """The methods of a client."""

    create_scan = Method(Operations.create_scan)
    get_scan_status = Method(Operations.get_scan_status)
    get_scan_results = Method(Operations.get_scan_results)
    cancel_scan = Method(Operations.cancel_scan)
    wait_for_scan = Method(Operations.wait_for_scan)
    scan = Method(Operations.scan)
    stream_progress = Streaming(Operations.stream_progress)
    list_certificates = Method(Operations.list_certificates)
    get_certificate = Method(Operations.get_certificate)
    check_compliance = Method(Operations.check_compliance)
    create_policy = Method(Operations.create_policy)
    get_policy = Method(Operations.get_policy)
    evaluate_policy = Method(Operations.evaluate_policy)
    get_scan_history = Method(Operations.get_scan_history)
    get_api_stats = Method(Operations.get_api_stats)
    health_check = Method(Operations.health_check)
