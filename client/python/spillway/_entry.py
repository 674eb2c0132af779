"""One object in the daemon, from the save that makes it to the finalizer that ends it."""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch.multiprocessing.reductions import StorageWeakRef

from . import errors
from ._fingerprint import Fingerprint
from ._footprint import Extent, elements, span, storage_of
from ._handles import VersionWatch
from .ticket import Ticket

if TYPE_CHECKING:
    from ._session import Session


_LOSSLESS = ("lossless", "raw", "rans", "window", "gecko", "fpraker")


class Outcome(NamedTuple):
    """What the daemon says of a put."""

    raw_bytes: int
    stored_bytes: int
    generation: int


class Payload:
    """The dense elements that a put reads.

    Nothing can pin the memory of a storage: whoever holds a tensor may have it resized under him; `moved` tells. Where
    that is not enough, a put reads a copy.
    """

    def __init__(self, run: torch.Tensor, copy: bool) -> None:
        self.sent = run.clone() if copy else run.cpu()
        self._original = run if copy else None
        self._place = _place_of(self.sent)

    def moved(self) -> bool:
        """Whether the memory was exchanged, so that a put read who knows what."""
        return _place_of(self.sent) != self._place

    def to_keep(self) -> torch.Tensor:
        """What to hold when the daemon does not take it: not the copy, for that would be held beside the original."""
        return self.sent if self._original is None else self._original


class Demand(NamedTuple):
    """How one tensor is stored.

    format  None leaves it to the daemon's policy
    kind    by which policies select
    label   under which the bytes are counted; "" for the kind
    exact   the format loses nothing of these values, as when they are what it gives back
    """

    format: str | None = None
    kind: str = "activation"
    label: str = ""
    exact: bool = False

    @property
    def lossy(self) -> bool:
        """Whether what comes back may be another value."""
        return not self.exact and self.format is not None and not self.format.startswith(_LOSSLESS)


class Flight:
    """A put under way, and how it ended. Until it has succeeded, `source` holds the elements."""

    def __init__(self, ticket: Ticket[Outcome], payload: Payload, name: str, label: str) -> None:
        self.ticket = ticket
        self.payload: Payload | None = payload
        self.source: torch.Tensor | None = payload.sent
        self.name = name
        self.label = label
        self.bytes = payload.sent.numel() * payload.sent.element_size()
        self.generation = 0

    def let_go(self) -> None:
        """Nobody needs what is held here."""
        self.source = self.payload = None

    def stay(self) -> None:
        """The daemon does not have it."""
        payload, self.payload = self.payload, None
        if payload is not None and self.source is not None:
            self.source = payload.to_keep()

    def moved(self) -> bool:
        payload = self.payload
        return payload is not None and payload.moved()


class Retired(NamedTuple):
    key: tuple
    name: str
    flight: Flight | None


class Entry:
    """One object in the daemon: a run of a storage's elements as they were when it was made. Freed when it dies."""

    def __init__(self, session: Session, traits: Traits, name: str, lossy: bool) -> None:
        # Assignments only: an entry that counts must not fail half-way.
        self.session = session
        self.name = name
        self.key, self.dtype, self.device, self.first, self.watch, self.fingerprint, self.storage = traits
        self.flight: Flight | None = None
        # Who asks gets what the format leaves of the values, even where the values still are at hand.
        self.lossy = lossy

    def holds(self, tensor: torch.Tensor, extent: Extent) -> bool:
        """Whether what the tensor shows of this run is what the daemon was given."""
        # Written since, and so perhaps while it was being read.
        if self.watch.moved() or self.fingerprint is None:
            return False
        return self.fingerprint.matches(elements(tensor, extent), tensor.storage_offset() - extent.first, span(tensor))

    def held(self, extent: Extent) -> torch.Tensor | None:
        """A run of the elements, if they still are in the process."""
        source = self.flight.source if self.flight else None
        if source is None:
            return None
        first = extent.first - self.first
        if storage_of(source).nbytes() < (source.storage_offset() + first + extent.length) * source.element_size():
            raise errors.TensorLostError("its storage was made smaller after it had been saved", errors.INVALID)
        return source[first:][: extent.length]

    def __del__(self, getpid=os.getpid) -> None:
        if self.flight:
            # Nobody can ask for it any more. While the put reads it, its ticket holds it.
            self.flight.let_go()
        if getpid() == self.session.pid:
            self.session.retired.put(Retired(self.key, self.name, self.flight))


class Traits(NamedTuple):
    """What an entry notes of the tensor that it was made for."""

    key: tuple
    dtype: torch.dtype
    device: torch.device
    first: int
    watch: VersionWatch
    fingerprint: Fingerprint | None
    # Keeps the storage's address, which is part of the key, from being used for another storage.
    storage: StorageWeakRef


def traits_of(tensor: torch.Tensor, extent: Extent | None, payload: Payload, demand: Demand) -> Traits:
    return Traits(
        key_of(tensor, extent, demand),
        tensor.dtype,
        tensor.device,
        extent.first if extent else 0,
        VersionWatch(tensor),
        # A copy of scattered elements is shared with nobody.
        Fingerprint(payload.sent) if extent else None,
        StorageWeakRef(storage_of(tensor)),
    )


def key_of(tensor: torch.Tensor, extent: Extent | None, demand: Demand) -> tuple:
    # What was stored in one format is not what somebody gets who demands another.
    return (storage_of(tensor)._cdata, tensor.dtype, extent, demand.format)


def _place_of(tensor: torch.Tensor) -> tuple[int, int]:
    return tensor.data_ptr(), storage_of(tensor).nbytes()
