"""The native client and who is inside it."""

from __future__ import annotations

import collections
import ctypes
import os
import threading
from types import TracebackType

from . import _native, errors
from ._buffers import Lent
from ._native import byref, lib


class Link:
    """Lets the native client go only when no thread uses it and no request reads or writes lent memory.

        with link as handle:
            lib.sw_ping(handle, ...)

    Tickets belong to it: a ticket that its user has dropped is released once its request is done, because only then
    may the memory it borrowed go.
    """

    def __init__(self, handle: int) -> None:
        self._handle: int | None = handle
        self._pid = os.getpid()
        # Reentrant, because a garbage collection may close another thing of ours in the middle of a locked section.
        self._changed = threading.Condition(threading.RLock())
        self._inside = 0
        self._closing = False
        self._loans: dict[int, Lent] = {}
        # Filled by finalizers, which may run anywhere and must not wait for a lock.
        self._dropped: collections.deque[int] = collections.deque()

    @property
    def forked(self) -> bool:
        return os.getpid() != self._pid

    @property
    def closed(self) -> bool:
        return self._closing

    def __enter__(self) -> int:
        # First of all: in a child the lock may be held by a thread that does not exist there.
        if self.forked:
            raise errors.make(errors.FORKED)
        with self._changed:
            if self._closing or self._handle is None:
                raise errors.make(errors.CLOSED)
            self._inside += 1
            return self._handle

    def __exit__(self, kind: type | None, value: BaseException | None, trace: TracebackType | None) -> None:
        with self._changed:
            self._inside -= 1
            if self._closing:
                self._changed.notify_all()

    def adopt(self, ticket: int, loan: Lent) -> None:
        """Takes a submitted ticket and the memory it borrows."""
        with self._changed:
            self._loans[ticket] = loan
        self._sweep()

    def drop(self, ticket: int) -> None:
        """Nobody will ask for this ticket any more. Safe in a finalizer."""
        self._dropped.append(ticket)

    def _sweep(self) -> None:
        """Releases dropped tickets, oldest first, up to one whose request is still under way."""
        with self._changed:
            while self._dropped and is_done(self._dropped[0]):
                ticket = self._dropped.popleft()
                lib.sw_ticket_release(ticket)
                self._loans.pop(ticket).release()

    def close(self) -> None:
        """Cancels what is under way, waits until every thread has left, and ends the session. Twice is fine."""
        if self.forked:
            return
        with self._changed:
            if self._closing:
                self._changed.wait_for(lambda: self._handle is None)
                return
            self._closing = True
            for ticket in self._loans:
                lib.sw_cancel(ticket)
            self._changed.wait_for(lambda: self._inside == 0)
            lib.sw_close(self._handle)
            for ticket, loan in self._loans.items():
                lib.sw_ticket_release(ticket)
                loan.release()
            self._loans.clear()
            self._dropped.clear()
            self._handle = None
            self._changed.notify_all()


def is_done(ticket: int) -> bool:
    """Whether the ticket's request has ended. Its own status may be the one that also means "not yet"."""
    err = _native.Error()
    if lib.sw_wait(ticket, 0, byref(err)) != errors.TIMEOUT:
        return True
    return lib.sw_ticket_result(ticket, None, None, byref(err)) != errors.INVALID


def connect(endpoint: str | None, name: str, connect_timeout_ms: int, timeout_ms: int) -> Link:
    handle = ctypes.c_void_p()
    err = _native.Error()
    options = _native.Options(name.encode(), connect_timeout_ms, timeout_ms)
    errors.check(lib.sw_connect(endpoint.encode() if endpoint else None, options, byref(handle), byref(err)), err)
    assert handle.value is not None
    return Link(handle.value)
