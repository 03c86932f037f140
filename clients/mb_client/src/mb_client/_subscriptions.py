"""What the broker must be told anew on each connection: it forgets a service as soon as that is gone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from ._message import SYSTEM

Action = Literal["publish", "request", "both"]

REGISTER: Final = "system.service.register"
SUBSCRIBE: Final = "system.topic.subscribe"
UNSUBSCRIBE: Final = "system.topic.unsubscribe"
LOG_SUBSCRIBE: Final = "system.log.subscribe"
LOG_UNSUBSCRIBE: Final = "system.log.unsubscribe"


def actions_of(topic: str, action: Action) -> Sequence[str]:
    """Return the actions to subscribe to, one by one as the broker wants it; it serves its own topics itself."""
    if action != "both":
        return (action,)
    return ("publish",) if topic.startswith(SYSTEM) else ("publish", "request")


@dataclass(frozen=True, slots=True)
class Subscription:
    """A topic, and what of it comes here."""

    topic: str
    action: str
    priority: float

    @property
    def key(self) -> tuple[str, str]:
        """What the broker tells subscriptions apart by."""
        return self.topic.lower(), self.action

    def payload(self) -> dict[str, Any]:
        """Return what asks for it."""
        return {"action": self.action, "topic": self.topic, "priority": self.priority}


@dataclass(slots=True)
class Memory:
    """What a service has told the broker about itself."""

    service: dict[str, str] | None = None
    subscriptions: dict[tuple[str, str], Subscription] = field(default_factory=dict)
    logs: dict[str, Any] | None = None

    def requests(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the topics and payloads that tell it again."""
        if self.service is not None:
            yield REGISTER, self.service
        for subscription in self.subscriptions.values():
            yield SUBSCRIBE, subscription.payload()
        if self.logs is not None:
            yield LOG_SUBSCRIBE, self.logs
