"""What the broker itself can be asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ._exceptions import MalformedMessage
from ._header import shown

HEARTBEAT: Final = "system.heartbeat"
INITIALIZE: Final = "system.initialize"
LOG: Final = "system.log"
MESSAGE: Final = "system.message"


@dataclass(frozen=True, slots=True)
class Service:
    """A connection to the broker; its name and description are empty until it registers."""

    id: str
    name: str
    description: str
    connected_at: str
    last_heartbeat: str


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Who subscribes to a topic; the priority counts for requests only."""

    service_id: str
    priority: float | None


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic that somebody subscribes to, for requests or for what is published."""

    action: str
    topic: str
    subscribers: tuple[Subscriber, ...] = ()
    priority: float | None = None


class SystemTopics(ABC):
    """Questions to the broker; raises what `MessageBrokerClient.request` does."""

    @abstractmethod
    async def _ask(self, topic: str, payload: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask the broker and return its answer, which is an object."""

    async def services(self) -> list[Service]:
        """Return every connection to the broker."""
        answer = await self._ask("system.service.list")
        return [
            Service(
                id=_text(item, "id"),
                name=_text(item, "name"),
                description=_text(item, "description"),
                connected_at=_text(item, "connectedAt"),
                last_heartbeat=_text(item, "lastHeartbeat"),
            )
            for item in _objects(answer, "services")
        ]

    async def topics(self) -> list[Topic]:
        """Return every topic that somebody subscribes to, with its subscribers."""
        return [_topic(item) for item in _objects(await self._ask("system.topic.list"), "topics")]

    async def subscriptions(self, service_id: str | None = None) -> list[Topic]:
        """Return what a service subscribes to: this one, or the one with the id that `services` tells."""
        answer = await self._ask(
            "system.service.subscriptions", {} if service_id is None else {"serviceId": service_id}
        )
        return [_topic(item) for item in _objects(answer, "subscriptions")]

    async def metrics(self, *, show_all: bool = False, parameters: str | None = None) -> dict[str, Any]:
        """Return the broker's figures by their names.

        Args:
            show_all: return for each its name, type, timestamp and value.
            parameters: the filter for figures that there are several of, such as one for each service.
        """
        question: dict[str, Any] = {"showAll": True} if show_all else {}
        if parameters is not None:
            question["paramFilter"] = parameters
        answer = await self._ask("system.metrics", question)
        figures = answer.get("metrics", answer)
        return dict(figures) if isinstance(figures, dict) else {}


def _topic(item: Mapping[str, Any]) -> Topic:
    subscribers = [Subscriber(_text(one, "serviceId"), one.get("priority")) for one in _objects(item, "subscribers")]
    return Topic(_text(item, "action"), _text(item, "topic"), tuple(subscribers), item.get("priority"))


def _objects(answer: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    items = answer.get(name, [])
    if not isinstance(items, list):
        raise MalformedMessage(f"an answer of the broker whose {name} are {shown(str(items))}")
    return [item if isinstance(item, dict) else {"topic": item} for item in items]  # its documents promise texts


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    return "" if value is None else str(value)
