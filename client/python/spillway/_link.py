"""The native client, and the memory that its requests borrow."""

from __future__ import annotations

import collections
import ctypes
import os
import threading
from collections.abc import Callable

from . import _native, errors
from ._buffers import Lent
from ._native import byref, lib


class Link:
    """Submits requests, keeps what they borrow alive until they are done, and ends it all.

    Every request is a native ticket, and a ticket outlives the client: waiting for one, asking for its result and
    releasing it are fine after close(). Only submitting needs the client, and is done under the lock.

    An interrupt may come between any two steps of the main thread. So memory is noted before it is lent, the library
    itself fills in the ticket, and whatever is cut short leaves something that lives too long, never too short. The
    locks are those whose `with` is one step.
    """

    def __init__(self, handle: int) -> None:
        self._handle: int | None = handle
        self._pid = os.getpid()
        # Reentrant, because a garbage collection may close another thing of ours in the middle of a locked section.
        self._lock = threading.RLock()
        self._ending = threading.RLock()
        self._closing = False
        # By the identity of the tickets' places, which it keeps.
        self._lent: dict[int, tuple[ctypes.c_void_p, Lent]] = {}
        # Filled by finalizers, which may run anywhere and must not wait for a lock.
        self._dropped: collections.deque[ctypes.c_void_p] = collections.deque()

    @property
    def forked(self) -> bool:
        return os.getpid() != self._pid

    @property
    def closed(self) -> bool:
        return self._closing

    def submit(self, place: ctypes.c_void_p, loan: Lent, call: Callable[..., int], *args: object) -> None:
        """Has the library put a ticket into `place`, and keeps the loan until the ticket is dropped and done."""
        self._refuse_in_child()
        err = _native.Error()
        with self._lock:
            handle = self._open()
            self._lent[id(place)] = (place, loan)
            status = call(handle, *args, None, None, byref(place), byref(err))
            if status < 0:
                del self._lent[id(place)]
            self._sweep()
        errors.check(status, err)

    def new_group(self) -> int:
        self._refuse_in_child()
        with self._lock:
            return lib.sw_new_group(self._open())

    def drop(self, place: ctypes.c_void_p) -> None:
        """Nobody will ask for this ticket any more. Safe in a finalizer."""
        self._dropped.append(place)
        # Nobody submits any more, and sweeps.
        if self._closing and not self.forked and self._lock.acquire(blocking=False):
            try:
                self._sweep()
            finally:
                self._lock.release()

    def close(self) -> None:
        """Ends the session and all that is under way. Twice is fine; whoever comes second waits for the first."""
        if self.forked:
            return
        with self._lock:
            self._closing = True
        with self._ending:
            handle, self._handle = self._handle, None
            if handle is not None:
                lib.sw_close(handle)
        with self._lock:
            self._sweep()

    def _refuse_in_child(self) -> None:
        # Before anything is locked: in a child the lock may be held by a thread that does not exist there.
        if self.forked:
            raise errors.make(errors.FORKED)

    def _open(self) -> int:
        if self._closing or self._handle is None:
            raise errors.make(errors.CLOSED)
        return self._handle

    def _sweep(self) -> None:
        """Releases dropped tickets, oldest first, up to one whose request is still under way."""
        while self._dropped and is_done(self._dropped[0]):
            place = self._dropped.popleft()
            found = self._lent.pop(id(place), None)
            if found:
                lib.sw_ticket_release(place)
                found[1].release()


def is_done(ticket: ctypes.c_void_p) -> bool:
    """Whether the ticket's request has ended. Its own status may be the one that also means "not yet"."""
    err = _native.Error()
    if lib.sw_wait(ticket, 0, byref(err)) != errors.TIMEOUT:
        return True
    return lib.sw_ticket_result(ticket, None, None, byref(err)) != errors.INVALID


class _Attempt:
    """Connecting, which may take its time, in a thread that can be left to it."""

    def __init__(self, endpoint: str | None, options: _native.Options) -> None:
        self.handle = ctypes.c_void_p()
        self.err = _native.Error()
        self.status = 0
        self._endpoint = endpoint.encode() if endpoint else None
        self._options = options
        self._lock = threading.Lock()
        self._ended = self._unwanted = False

    def run(self) -> None:
        self.status = lib.sw_connect(self._endpoint, self._options, byref(self.handle), byref(self.err))
        with self._lock:
            self._ended = True
            if self._unwanted:
                lib.sw_close(self.handle)

    def give_up(self) -> None:
        with self._lock:
            self._unwanted = True
            if self._ended:
                lib.sw_close(self.handle)


def connect(endpoint: str | None, name: str, connect_timeout_ms: int, timeout_ms: int) -> Link:
    attempt = _Attempt(endpoint, _native.Options(name.encode(), connect_timeout_ms, timeout_ms))
    try:
        if threading.current_thread() is threading.main_thread():
            # An interrupt ends the wait for another thread, but no call into the library.
            worker = threading.Thread(target=attempt.run, name="spillway-connect", daemon=True)
            worker.start()
            worker.join()
        else:
            attempt.run()
        errors.check(attempt.status, attempt.err)
        assert attempt.handle.value is not None
        return Link(attempt.handle.value)
    except BaseException:
        attempt.give_up()
        raise
