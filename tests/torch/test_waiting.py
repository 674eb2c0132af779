"""Deadlines, keyboard interrupts, and exceptions in the middle of an answer."""

import contextlib
import os
import signal
import socket
import threading
import time

import numpy as np
import pytest

import spillway
from spillway import _info


@pytest.fixture
def frozen(make_daemon):
    """A client whose daemon has an object and answers nothing."""
    daemon = make_daemon()
    client = spillway.Client(daemon.endpoint, timeout=20)
    client.put("a", np.zeros(1000, "f4"))
    with daemon.frozen():
        yield client
    client.close()


CALLS = {
    "get": lambda client, **options: client.get("a", **options),
    "get_bytes": lambda client, **options: client.get_bytes("a", **options),
    "get_into": lambda client, **options: client.get_into("a", bytearray(4000), **options),
    "get_range": lambda client, **options: client.get_range("a", 0, 10, **options),
    "get_async": lambda client, **options: client.get_async("a", **options).result(),
    "put": lambda client, **options: client.put("b", b"x", **options),
    "stat": lambda client, **options: client.stat("a", **options),
    "list": lambda client, **options: client.list(**options),
    "spaces": lambda client, **options: client.spaces(**options),
    "stats": lambda client, **options: client.stats(**options),
    "ping": lambda client, **options: client.ping(**options),
    "free_group": lambda client, **options: client.free_group(1, **options),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_timeout_is_of_the_whole_call(frozen, call):
    begin = time.monotonic()
    with pytest.raises(spillway.DeadlineError):
        call(frozen, timeout=0.3)
    assert 0.2 < time.monotonic() - begin < 2


@contextlib.contextmanager
def interrupted():
    """A keyboard interrupt comes soon, and ends what is being waited for."""
    # Whoever started this in the background may have had it ignore them.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    begin = time.monotonic()
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            yield
            # For a call that ended early: the interrupt must not hit the next test.
            time.sleep(5)
        assert time.monotonic() - begin < 2
    finally:
        timer.join()
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("call", [*CALLS.values(), lambda client: client.free("a")], ids=[*CALLS, "free"])
def test_a_keyboard_interrupt_ends_every_wait(frozen, call):
    with interrupted():
        call(frozen)


def test_a_keyboard_interrupt_ends_connecting(tmp_path):
    """And what connects all the same is closed then."""
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(f"{tmp_path}/socket")
        deaf.listen()
        threads = threading.active_count()
        with interrupted():
            spillway.Client(f"unix:{tmp_path}/socket", connect_timeout=3)
        until = time.monotonic() + 5
        while threading.active_count() > threads:
            assert time.monotonic() < until
            time.sleep(0.05)


class Interrupted(BaseException):
    pass


def failing_at(number):
    """A conversion that fails at its n-th call."""
    calls = iter(range(1, 1 << 30))

    def fail(*args):
        if next(calls) == number:
            raise Interrupted
        return original(*args)

    original = _info.of_native
    return fail


@pytest.mark.parametrize("elsewhere", [False, True], ids=["main thread", "another thread"])
def test_an_exception_in_a_list_is_no_short_list(client, monkeypatch, elsewhere):
    for number in range(10):
        client.put(f"{number}", b"x")
    outcome = []

    def call():
        try:
            outcome.append(client.list())
        except BaseException as error:
            outcome.append(error)

    monkeypatch.setattr(_info, "of_native", failing_at(5))
    thread = threading.Thread(target=call)
    thread.start() if elsewhere else call()
    thread.join() if elsewhere else None
    assert isinstance(outcome[0], Interrupted)
    # The client goes on.
    assert len(client.list()) == 10
    client.free([str(number) for number in range(10)])


def test_exceptions_in_spaces_and_counters(client, monkeypatch):
    def fail(*args):
        raise Interrupted

    with monkeypatch.context() as patched:
        patched.setattr(_info, "space_of_native", fail)
        client.put("a", b"x")
        with pytest.raises(Interrupted):
            client.spaces()
    assert client.spaces()
    client.free("a")


def test_interrupts_lose_no_part_of_a_list(client):
    """Whenever one comes, the list is whole or the interrupt is heard of."""
    names = [f"n/{number:04d}" for number in range(1500)]
    for name in names:
        client.put(name, b"x")

    def interrupt(*args):
        raise Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    heard = 0
    try:
        for attempt in range(60):
            try:
                # It may come before the list is even asked for.
                signal.setitimer(signal.ITIMER_REAL, 0.0005 + 0.0005 * (attempt % 20))
                listed = client.list("n/")
                signal.setitimer(signal.ITIMER_REAL, 0)
                assert len(listed) == len(names)
            except Interrupted:
                heard += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert heard > 0
    client.free(names)
