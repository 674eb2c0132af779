"""Exceptions: one per class of status, and some per status where a program would want to catch just that.

    SpillwayError
     |- CorruptError      bytes are damaged; no data was returned
     |- UsageError        the request is wrong and will be wrong again
     |   |- DeniedError   only the owner of the space may
     |   |- NotFiniteError the loss is NaN or infinite; full widths are restored
     |   `- ForkedError   the client belongs to the parent process
     |- NotFoundError     what was named, an object or a run, does not exist
     |- RetryError        may work later, unchanged; see retry_after_ms
     |   |- StaleError    another version of the policies is in force
     |   `- DeadlineError the deadline passed first (also a TimeoutError)
     |- FullError         no room
     |- ClosedError       the connection or the session is gone
     |- TensorLostError   a tensor that autograd needs cannot be had back (also a RuntimeError)
     |- SystemCallError   the system refused something: no such socket, permission denied
     `- InternalError     a fault in Spillway
"""

from __future__ import annotations

from . import _native


class SpillwayError(Exception):
    """Whatever goes wrong. `status` is the number, `status_name` its name as in spillway/status.def."""

    def __init__(self, message: str, status: int, retry_after_ms: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_ms = retry_after_ms

    @property
    def status_name(self) -> str:
        return status_name(self.status)

    def __reduce__(self) -> tuple:
        return (type(self), (str(self), self.status, self.retry_after_ms))


class CorruptError(SpillwayError):
    """Stored or transferred bytes are damaged. No data was returned."""


class UsageError(SpillwayError):
    """The request is wrong and will be wrong again."""


class ForkedError(UsageError):
    """This client belongs to the parent process: connect anew in the child."""


class DeniedError(UsageError):
    """Only the owner of the space may do this."""


class NotFiniteError(UsageError):
    """The reported loss is NaN or infinite. The run's learners have restored full widths."""


class NotFoundError(SpillwayError):
    """No object of this name in this space, or no such run."""


class RetryError(SpillwayError):
    """May work later, unchanged."""


class StaleError(RetryError):
    """Another version of the policies is in force: read them and try again."""


class DeadlineError(RetryError, TimeoutError):
    """The deadline passed before an answer came."""


class FullError(SpillwayError):
    """No room: free something, or store elsewhere."""


class ClosedError(SpillwayError):
    """The connection or the session is gone, or the client was closed."""


class TensorLostError(SpillwayError, RuntimeError):
    """A spilled tensor that autograd needs cannot be had back. The message says which one and why.

    Before version 2, torch turns what a backward pass raises into a RuntimeError of the same message. It is one here
    too, so that a handler for RuntimeError works with every version; leaving the `with offload()` block restores it.
    """


class SystemCallError(SpillwayError):
    """The system refused something. `errno` says what."""

    @property
    def errno(self) -> int:
        return -self.status


class InternalError(SpillwayError):
    """A fault in Spillway: please report it."""


# In the order of enum sw_status_class; its first member is "ok".
_BY_CLASS = (
    InternalError,
    CorruptError,
    UsageError,
    NotFoundError,
    RetryError,
    FullError,
    ClosedError,
    InternalError,
)
_BY_NAME = {
    "FORKED": ForkedError,
    "TIMEOUT": DeadlineError,
    "STALE": StaleError,
    "DENIED": DeniedError,
    "NOT_FINITE": NotFiniteError,
}

INVALID, TOO_LARGE, NOT_FOUND, TIMEOUT, CLOSED, FORKED = -5010, -5012, -5020, -5040, -5043, -5045


def status_name(status: int) -> str:
    return _native.lib.sw_status_name(status).decode()


def status_text(status: int) -> str:
    return _native.lib.sw_status_text(status).decode()


def _class_of(status: int) -> type[SpillwayError]:
    if -4096 < status < 0:
        return SystemCallError
    return _BY_NAME.get(status_name(status)) or _BY_CLASS[_native.lib.sw_status_class(status)]


def make(status: int, text: str = "", retry_after_ms: int = 0) -> SpillwayError:
    """The exception for a status; `text` replaces the status's own sentence."""
    return _class_of(status)(text or status_text(status), status, retry_after_ms)


def of(status: int, err: _native.Error) -> SpillwayError:
    """The exception for a status, with the library's sentence."""
    return make(status, err.text.decode(errors="replace"), err.retry_after_ms)


def check(status: int, err: _native.Error) -> None:
    if status < 0:
        raise of(status, err)
