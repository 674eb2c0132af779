"""When to leave the daemon alone."""

from __future__ import annotations

import time

from . import errors

# After the daemon was found to be away, tensors stay in the process for this long before it is tried again, so that a
# training step pays for a dead daemon once and not once per tensor.
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0


class Pause:
    """For how long the daemon is left alone, and why."""

    def __init__(self) -> None:
        self._until = 0.0
        self._reason = ""
        self._length_s = _FIRST_PAUSE_S

    def reason(self) -> str:
        return self._reason if time.monotonic() < self._until else ""

    def after(self, error: errors.SpillwayError) -> None:
        # A full store frees up with the next backward pass, and a refusal may be this tensor's alone: go on asking.
        if isinstance(error, (errors.RetryError, errors.ClosedError, errors.SystemCallError)):
            self.begin(error)

    def begin(self, error: errors.SpillwayError) -> None:
        # One outage fails all puts that were under way.
        if self.reason():
            return
        self._reason = error.status_name.lower()
        length_s = error.retry_after_ms / 1000
        if not length_s:
            length_s = self._length_s
            self._length_s = min(2 * length_s, _LONGEST_PAUSE_S)
        self._until = time.monotonic() + length_s

    def over(self) -> None:
        self._length_s = _FIRST_PAUSE_S
