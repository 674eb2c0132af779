"""A request under way."""

from __future__ import annotations

import copy
import ctypes
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from . import _native, errors
from ._buffers import Lent
from ._link import Link, is_done
from ._native import byref, lib

T = TypeVar("T")

# Waiting is done in slices, so that a keyboard interrupt is noticed.
_SLICE_MS = 200


class Ticket(Generic[T]):
    """What put_async and get_async hand out.

    The memory of the request must not be changed until it is done; it is kept alive until then even if the ticket is
    dropped. Closing the client ends every request: a ticket that was not done by then raises ClosedError.
    """

    def __init__(self, link: Link, native: int, loan: Lent, finish: Callable[[int, _native.Info], T]) -> None:
        self._link = link
        self._native = native
        self._loan = loan
        self._finish = finish
        self._value: T | None = None
        self._error: errors.SpillwayError | None = None
        self._settled = False
        link.adopt(native, loan)

    def done(self) -> bool:
        return self.wait(0)

    def wait(self, timeout: float | None = None) -> bool:
        """Waits at most `timeout` seconds, or until the request's own deadline. True when it has ended, however."""
        until = None if timeout is None else time.monotonic() + timeout
        while not self._settled:
            left_ms = _SLICE_MS if until is None else max(0, int((until - time.monotonic()) * 1000))
            if not self._settle(min(left_ms, _SLICE_MS)) and left_ms == 0:
                return False
        return True

    def result(self, timeout: float | None = None) -> T:
        """What the request brought. Raises its error, or DeadlineError when it has not ended within `timeout`."""
        if not self.wait(timeout):
            raise errors.make(errors.TIMEOUT, "the request is not done yet; it goes on")
        if self._error:
            # A copy: the traceback of what is raised holds the frames, and so the memory, of whoever asked.
            raise copy.copy(self._error)
        return self._value  # type: ignore[return-value]

    def cancel(self) -> None:
        """Ends the request as soon as possible; its result is then an error, unless it was done first."""
        if not self._settled:
            with self._link:
                lib.sw_cancel(self._native)

    def _settle(self, timeout_ms: int) -> bool:
        """Whether it has ended; then its outcome is noted and the memory given back."""
        got, info, err = ctypes.c_size_t(), _native.Info(), _native.Error()
        try:
            with self._link:
                if lib.sw_wait(self._native, timeout_ms, byref(err)) == errors.TIMEOUT and not is_done(self._native):
                    return False
                status = lib.sw_ticket_result(self._native, byref(got), byref(info), byref(err))
        except errors.ClosedError:
            # Closing ends every request and gives its memory back.
            status = errors.CANCELLED
        else:
            self._loan.release()
        if status == errors.CANCELLED and self._link.closed:
            self._error = errors.make(errors.CLOSED)
        elif status < 0:
            self._error = errors.of(status, err)
        else:
            self._value = self._finish(got.value, info)
        self._settled = True
        return True

    def __del__(self) -> None:
        # Incomplete when __init__ never ran to its end.
        if hasattr(self, "_finish"):
            self._link.drop(self._native)
