"""The sessions of the core behind one session: nothing of one configuration is ever mixed with another."""

from __future__ import annotations

import gc
import threading

import pytest
from core import FakeCore

import cycletls
from cycletls import _engine, _ffi
from cycletls._core import ask, pack
from cycletls._engine import Engines
from cycletls._options import Options


@pytest.fixture
def core(monkeypatch: pytest.MonkeyPatch) -> FakeCore:
    """A core that only notes what it is told."""
    fake = FakeCore()
    for name in ("exchange", "perform", "message", "close"):
        monkeypatch.setattr(_ffi, name, getattr(fake, name))
    return fake


def test_one_configuration_has_one_session(core: FakeCore) -> None:
    """However often it is asked for, and whatever does not belong to the connection."""
    engines = Engines((), False, Options({}))
    first = engines.of(Options({"timeout": cycletls.Timeouts(1)}), ())
    assert engines.of(Options({"max_redirects": 3}), ()) is first
    assert len(core.sessions) == 1


def test_another_configuration_has_another_session_with_the_same_cookies(core: FakeCore) -> None:
    """verify=False gets connections of its own, the jar is shared."""
    engines = Engines((), False, Options({}))
    first = engines.of(Options({}), ())
    other = engines.of(Options({"verify": False}), ())
    assert core.sessions[first.handle].get("cookieJar", 0) == 0
    assert core.sessions[other.handle]["cookieJar"] == first.handle
    assert core.sessions[other.handle]["insecureSkipVerify"] is True
    assert engines.of(Options({"verify": False}), ()) is other
    assert engines.of(Options({}), ()) is first


def test_variants_are_bounded_and_the_oldest_goes(core: FakeCore) -> None:
    """Memory stays flat however many configurations come by; the one with the jar stays."""
    engines = Engines((), False, Options({}))
    first = engines.of(Options({}), ())
    handles = [engines.of(Options({"server_name": f"h{n}"}), ()).handle for n in range(_engine._VARIANTS + 2)]
    engines.of(Options({"server_name": "h2"}), ())
    gc.collect()
    assert core.closed == handles[:2]
    assert engines.of(Options({}), ()) is first


def test_a_variant_in_use_outlives_its_eviction(core: FakeCore) -> None:
    """It ends with the last exchange that uses it."""
    engines = Engines((), False, Options({}))
    engines.of(Options({}), ())
    held = engines.of(Options({"server_name": "held"}), ())
    for n in range(_engine._VARIANTS + 1):
        engines.of(Options({"server_name": f"h{n}"}), ())
    assert held.handle not in core.closed
    handle = held.handle
    del held
    gc.collect()
    assert handle in core.closed


def test_closing_ends_all_at_once_and_once(core: FakeCore) -> None:
    """Also those in use; afterwards there are no more."""
    engines = Engines((), False, Options({}))
    held = [engines.of(Options({}), ()), engines.of(Options({"verify": False}), ())]
    engines.close()
    engines.close()
    assert sorted(core.closed) == [engine.handle for engine in held]
    with pytest.raises(cycletls.SessionClosed):
        engines.of(Options({}), ())


def test_forgotten_engines_are_closed(core: FakeCore) -> None:
    """Handles die with their object."""
    Engines((), False, Options({})).of(Options({}), ())
    gc.collect()
    assert len(core.closed) == 1


def test_threads_that_come_at_once_share_one(core: FakeCore) -> None:
    """The first of them makes it."""
    engines = Engines((), False, Options({}))
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        engines.of(Options({}), ())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(core.sessions) == 1


def test_reading_the_cookies_of_an_unused_session_asks_nobody(core: FakeCore) -> None:
    """There are none that the core could know; to show a session does not load the library."""
    with cycletls.CycleTLS(cookies={"a": "1"}) as session:
        assert "name='a'" in repr(session.cookies)
    assert session.cookies.get_dict() == {"a": "1"}
    assert not core.sessions


def test_closing_does_not_need_the_cookies(core: FakeCore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A jar that cannot be read, in a forked child for one, keeps nothing open."""
    session = cycletls.CycleTLS()
    session.get("http://h/")
    monkeypatch.setattr(_ffi, "message", lambda *_: pack({"type": "error", "kind": "closed", "message": "gone"}))
    session.close()
    assert core.closed == [*core.sessions]


def test_an_error_of_the_core_is_raised(core: FakeCore) -> None:
    """As the exception of its kind."""
    with pytest.raises(cycletls.InvalidMessage, match=r"what\?"):
        ask(_ffi, 0, {"type": "nonsense"})
