"""The queue of what waits to be sent: who stands in line for it, and what a connection leaves behind."""

from __future__ import annotations

import asyncio

import pytest
from mb_client import MessageHeader, QueueFull
from mb_client._calls import Outgoing
from mb_client._outbox import Outbox


def message(text: str) -> Outgoing:
    """Return something to send."""
    return Outgoing(text, MessageHeader("publish", "a", "1.0.0", None))


async def texts(outbox: Outbox) -> list[str]:
    """Take what may be sent."""
    return [outgoing.message for outgoing in await outbox.take()]


async def test_a_place_in_line_is_kept() -> None:
    """Whoever found no room is let in in turn, before those who come later; who was cancelled is not."""
    outbox = Outbox(2)
    outbox.open()
    await outbox.put(message("a"))
    await outbox.put(message("b"))
    standing = [asyncio.create_task(outbox.put(message(text))) for text in "cde"]
    await asyncio.sleep(0)
    standing[0].cancel()
    assert await texts(outbox) == ["a", "b"]
    late = asyncio.create_task(outbox.put(message("f")))
    await asyncio.sleep(0)
    assert await texts(outbox) == ["d", "e"]
    assert await texts(outbox) == ["f"]
    await asyncio.gather(*standing[1:], late)
    assert standing[0].cancelled()


async def test_a_line_ends_with_the_connection() -> None:
    """What has no room when the connection breaks is refused; what has waits, behind what is sent again."""
    outbox = Outbox(1)
    outbox.open()
    await outbox.put(message("a"))
    standing = asyncio.create_task(outbox.put(message("b")))
    await asyncio.sleep(0)
    outbox.put_urgent(message("heartbeat"))
    outbox.close([message("again")])
    with pytest.raises(QueueFull):
        await standing
    outbox.put_urgent(message("restore"))
    assert await texts(outbox) == ["restore"]
    outbox.open()
    assert await texts(outbox) == ["again", "a"]
