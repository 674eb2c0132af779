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

    # For __del__, should an interrupt come before __init__.
    native = ctypes.c_void_p()

    def __init__(self, link: Link, loan: Lent, finish: Callable[[ctypes.c_void_p], T]) -> None:
        """For Link.submit to fill in."""
        self.native = ctypes.c_void_p()
        self._link = link
        self._loan = loan
        self._finish = finish
        self._value: T | None = None
        self._error: errors.SpillwayError | None = None
        self._settled = False

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
            lib.sw_cancel(self.native)

    def _settle(self, timeout_ms: int) -> bool:
        """Whether it has ended; then its outcome is noted and the memory given back."""
        err = _native.Error()
        if lib.sw_wait(self.native, timeout_ms, byref(err)) == errors.TIMEOUT and not is_done(self.native):
            return False
        status = lib.sw_ticket_result(self.native, None, None, byref(err))
        if status < 0:
            self._error = errors.of(status, err)
        else:
            self._value = self._finish(self.native)
        self._loan.release()
        self._settled = True
        return True

    def __del__(self) -> None:
        # There is none when it could not be submitted.
        if self.native:
            self._link.drop(self.native)


def ticket_info(native: ctypes.c_void_p) -> _native.Info:
    """What a ticket that ended well says of the object."""
    info = _native.Info()
    lib.sw_ticket_result(native, None, byref(info), None)
    return info
