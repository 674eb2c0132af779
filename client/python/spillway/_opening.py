"""How a block gets its session: at its entry, or later, once the daemon is there."""

from __future__ import annotations

import os
import secrets
import warnings

from . import errors
from ._pause import Pause
from ._session import Session, Settings
from ._stats import OffloadStats
from .client import Client

# How long connecting may take: at a block's entry somebody waits for it, in the middle of a step nobody wants to.
_ENTRY_S = 5.0
_LATER_S = 1.0

# Any float type that a format is for will do.
_PROBES = {"F32": 4, "BF16": 2, "F16": 2}


class Opening:
    """Tries for a session until there is one. After a failure the daemon is left alone for a while."""

    def __init__(self, client: Client | str | None, settings: Settings, stats: OffloadStats) -> None:
        self._client = client
        self._settings = settings
        self._stats = stats
        self._pid = os.getpid()
        self._pause = Pause()

    def enter(self) -> Session | str:
        """At the block's entry. Says aloud that there is no daemon."""
        session = self._attempt(_ENTRY_S)
        if session == "absent":
            warnings.warn(
                f"spillwayd cannot be reached, so saved tensors stay in the process: {self._stats.last_error}. "
                "It is tried again while the block lasts.",
                RuntimeWarning,
                stacklevel=3,
            )
        return session

    def later(self) -> Session | str:
        if os.getpid() != self._pid:
            return "forked"
        return "absent" if self._pause.reason() else self._attempt(_LATER_S)

    def _attempt(self, connect_timeout: float) -> Session | str:
        """A session, or why there is none. Raises UsageError for what would never work."""
        try:
            return self._open(connect_timeout)
        except errors.ForkedError as error:
            self._stats.last_error = str(error)
            return "forked"
        except errors.UsageError:
            raise
        except errors.SpillwayError as error:
            self._stats.last_error = str(error)
            self._pause.begin(error)
            return "absent"

    def _open(self, connect_timeout: float) -> Session:
        if isinstance(self._client, Client):
            _probe(self._client, self._settings)
            return Session(self._client, False, self._settings, self._stats)
        timeout = self._settings.timeout_ms / 1000
        own = Client(self._client, connect_timeout=min(connect_timeout, timeout), timeout=timeout)
        try:
            _probe(own, self._settings)
            return Session(own, True, self._settings, self._stats)
        except BaseException:
            own.close()
            raise


def _probe(client: Client, settings: Settings) -> None:
    """Has the daemon take a value, so that a format or a space that it does not know is an error and not a training run
    without offloading."""
    timeout = min(_ENTRY_S, settings.timeout_ms / 1000)
    refusals: list[errors.UsageError] = []
    for dtype, width in _PROBES.items():
        group = client.new_group()
        try:
            client.put(
                f"{settings.name_prefix}/{os.getpid()}-{secrets.token_hex(4)}/probe",
                bytes(width),
                dtype=dtype,
                shape=(1,),
                kind="activation",
                space=settings.space,
                group=group,
                format=None if callable(settings.format) else settings.format,
                timeout=timeout,
            )
            client.free_group(group, timeout=timeout)
            return
        except errors.ForkedError:
            raise
        except errors.UsageError as refusal:
            refusals.append(refusal)
        except errors.DeadlineError:
            raise
        except (errors.FullError, errors.RetryError):
            return
    raise refusals[0]
