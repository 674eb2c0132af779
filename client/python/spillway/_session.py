"""What one `with offload()` block has in the daemon, and when it goes.

A save makes an Entry (one object in the daemon) and hands autograd a Spilled handle, which keeps the entry alive. When
autograd drops the last handle, the entry's finalizer puts its name in a queue, and a thread frees queued names in
batches. That holds for every way in which a graph can end: a backward pass, a second one, none at all, an exception.
The group is only a backstop for frees that failed: it goes after the block has ended and the last handle is gone, at
the latest with the connection.

A storage makes one entry as long as its bytes stay what they were, which is looked at and not believed; see
_fingerprint.py.

A put is a Flight: it holds the memory that it reads until it has landed, and at most a window of such memory is held.
A tensor needed earlier is taken from there. One whose put fails stays there, which is how a full daemon costs memory
and nothing else.
"""

from __future__ import annotations

import collections
import contextlib
import ctypes
import os
import queue
import secrets
import threading
import time
import warnings
import weakref
from collections.abc import Callable
from typing import NamedTuple

import torch

from . import _info, _native, errors
from ._args import batches, run_and_step
from ._entry import Demand, Entry, Flight, Outcome, Payload, Retired, key_of, traits_of
from ._footprint import DTYPES, Extent, compact, elements, extent_of, whole
from ._handles import Spilled, VersionWatch
from ._pause import Pause
from ._stats import OffloadStats
from .client import Client
from .run import Run
from .ticket import ticket_info

# How long the freeing thread gathers names before it sends them: one request then frees many tensors.
_GATHER_S = 0.002

# How long the end of a block waits for its last frees. They go on behind its back if that does not suffice.
_END_S = 3.0

# The library gathers bodies up to this size (SW_SMALL_BODY) itself, to send several at once.
_SMALL_BYTES = 16 * 1024


class Settings(NamedTuple):
    space: str
    name_prefix: str
    # Of every tensor, or of each as it is saved; what the latter returns may be a format alone.
    format: str | Callable[[torch.Tensor], Demand | str | None] | None
    timeout_ms: int
    window_bytes: int
    run: Run | None = None


class Session:
    def __init__(self, client: Client, owned: bool, settings: Settings, stats: OffloadStats) -> None:
        self.client = client
        self.pid = os.getpid()
        # Dead entries, events to set once all before them are freed, or None to look again whether to end.
        # Its put() never blocks and may be called by a finalizer at any moment.
        self.retired: queue.SimpleQueue = queue.SimpleQueue()
        self._owned = owned
        self._settings = settings
        self._stats = stats
        self._group = client.new_group()
        self._prefix = f"{settings.name_prefix}/{self.pid}-{secrets.token_hex(4)}"
        self._lock = threading.Lock()
        self._entries: dict[tuple, weakref.ref[Entry]] = {}
        self._window: collections.deque[Flight] = collections.deque()
        self._window_bytes = 0
        self._serial = 0
        self._live = 0
        self._exited = False
        self._missed_free = False
        self._warned = False
        self._ended = threading.Event()
        self._pause = Pause()
        # What a backward pass raised: the end of the block restores it.
        self.raised: errors.SpillwayError | None = None
        threading.Thread(target=self._free_retired, name="spillway-free", daemon=True).start()

    def spill(self, tensor: torch.Tensor) -> Spilled | str:
        """A handle, or the reason why the tensor has to stay in the process."""
        # First of all: a forked child must not touch the lock.
        if os.getpid() != self.pid:
            return "forked"
        if reason := self._pause.reason():
            return reason
        extent, demand = extent_of(tensor), self._demand(tensor)
        if entry := self._find(tensor, extent, demand):
            with self._lock:
                self._stats.shared += 1
            return Spilled(entry, VersionWatch(tensor), tensor, tensor.stride(), tensor.storage_offset())
        if extent:
            run = elements(tensor, extent)
            payload = Payload(run, self._must_copy(tensor, run))
            return self._put(tensor, extent, tensor.stride(), tensor.storage_offset(), payload, demand)
        run, strides = compact(tensor)
        return self._put(tensor, None, strides, 0, Payload(run, copy=False), demand)

    def _demand(self, tensor: torch.Tensor) -> Demand:
        wanted = self._settings.format
        if callable(wanted):
            wanted = wanted(tensor)
        return wanted if isinstance(wanted, Demand) else Demand(wanted)

    def fetch(self, entry: Entry, extent: Extent) -> torch.Tensor:
        """A run of the entry's elements on the original's device: in fresh memory, or where they still are."""
        try:
            if entry.lossy and entry.flight:
                self._arrive(entry.flight)
            held = entry.held(extent)
            return (self._fetch(entry, extent) if held is None else held).to(entry.device)
        except errors.SpillwayError as error:
            self._count_failure(error)
            raise

    def _fetch(self, entry: Entry, extent: Extent) -> torch.Tensor:
        assert entry.flight is not None
        # The trainer may have set another default device.
        flat = torch.empty(extent.length, dtype=entry.dtype, device="cpu")
        width = flat.element_size()
        offset_bytes, wanted_bytes = (extent.first - entry.first) * width, extent.length * width
        args = _native.GetArgs(
            self._settings.space.encode(),
            entry.name.encode(),
            offset_bytes,
            wanted_bytes,
            entry.flight.generation,
            0,
            self._settings.timeout_ms,
        )
        self.client._submit_get(_Lent(flat), args, lambda _: None).result()
        with self._lock:
            self._stats.fetched += 1
            self._stats.fetched_bytes += wanted_bytes
        return flat

    def flush(self, timeout: float = _END_S) -> bool:
        """Waits until all puts have landed and what has been dropped so far is freed in the daemon."""
        # A child has no thread that would free, and no end of the wait.
        if os.getpid() != self.pid:
            raise errors.make(errors.FORKED)
        self._settle(0)
        freed = threading.Event()
        self.retired.put(freed)
        return freed.wait(timeout)

    def exit(self) -> None:
        """The block has ended. Handles may live on: the session ends with the last of them."""
        if os.getpid() != self.pid:
            return
        # With the daemon away there is nothing to wait for.
        reachable = not self._pause.reason()
        if reachable:
            self.flush()
        # From here on the freeing thread ends when nothing lives any more; before, it would have left flush alone.
        with self._lock:
            self._exited = True
            idle = self._live == 0
        self.retired.put(None)
        if reachable and idle:
            self._ended.wait(_END_S)

    def _find(self, tensor: torch.Tensor, extent: Extent | None, demand: Demand) -> Entry | None:
        """An entry that holds this tensor's bytes: its whole storage, or the very part that it shows."""
        for candidate in {whole(tensor), extent} - {None}:
            with self._lock:
                found = self._entries.get(key_of(tensor, candidate, demand))
                entry = found() if found else None
            if entry is not None and entry.holds(tensor, candidate):
                return entry
        return None

    def _must_copy(self, tensor: torch.Tensor, run: torch.Tensor) -> bool:
        """Whether a put that goes on behind the trainer's back may not read this memory.

        What autograd did not make, a loader's batch or a buffer, may be written meanwhile without torch's knowing. And
        if the memory is taken away, the kernel says so when the library hands it over; where the library reads it
        itself, that would be the end of the process.
        """
        if run.device.type != "cpu":
            return False
        read_here = self.client._over_tcp or run.numel() * run.element_size() <= _SMALL_BYTES
        return read_here or not tensor.requires_grad

    def _put(
        self,
        tensor: torch.Tensor,
        extent: Extent | None,
        strides: tuple[int, ...],
        offset: int,
        payload: Payload,
        demand: Demand,
    ) -> Spilled | str:
        traits = traits_of(tensor, extent, payload, demand)
        with self._lock:
            if self._ended.is_set():
                return "closed"
            self._serial += 1
            entry = Entry(self, traits, f"{self._prefix}/{self._serial}", demand.lossy)
            # Whatever happens from here on, the entry's end is announced by its finalizer.
            self._live += 1
        # Row-major tensors go with their shape, for formats that look at rows; anything else is a run of elements.
        exact = extent and tensor.is_contiguous() and tensor.numel() == extent.length
        shape = tuple(tensor.shape) if exact else (payload.sent.numel(),)
        try:
            entry.flight = flight = self._launch(entry.name, payload, shape, demand)
        except errors.SpillwayError as error:
            return self._refused(error)
        with self._lock:
            if extent:
                self._entries[entry.key] = weakref.ref(entry)
            self._window.append(flight)
            self._window_bytes += flight.bytes
        self._settle(self._settings.window_bytes)
        return Spilled(entry, entry.watch, tensor, strides, offset)

    def _launch(self, name: str, payload: Payload, shape: tuple[int, ...], demand: Demand) -> Flight:
        sent = payload.sent
        args = _native.PutArgs(
            self._settings.space.encode(),
            name.encode(),
            _info.KINDS.index(demand.kind),
            DTYPES[sent.dtype].number,
            len(shape),
            (ctypes.c_uint64 * max(1, len(shape)))(*shape),
            self._group,
            demand.format.encode() if demand.format else None,
            self._settings.timeout_ms,
            0,
            *run_and_step(self._settings.run, None),
        )
        ticket = self.client._submit_put(_Lent(sent), args, _outcome)
        return Flight(ticket, payload, name, demand.label or demand.kind)

    def _settle(self, most_bytes: int) -> None:
        """Notes how puts have ended, oldest first, and waits until at most so many bytes are under way."""
        while True:
            with self._lock:
                if not self._window:
                    return
                flight, must_wait = self._window[0], self._window_bytes > most_bytes
            if not flight.ticket.wait(None if must_wait else 0):
                return
            if self._take_off(flight):
                self._land(flight)

    def _arrive(self, flight: Flight) -> None:
        """Waits for a put to end. What has failed stays here as it is."""
        flight.ticket.wait()
        if self._take_off(flight):
            self._land(flight)

    def _take_off(self, flight: Flight) -> bool:
        """Takes the flight off the window. True for the one thread that found it there."""
        with self._lock:
            if flight not in self._window:
                return False
            self._window.remove(flight)
            self._window_bytes -= flight.bytes
            return True

    def _land(self, flight: Flight) -> None:
        try:
            outcome = flight.ticket.result()
        except errors.SpillwayError as error:
            # Moved memory may be the very reason, which says nothing of the daemon.
            self._keep(flight, "moved" if flight.moved() else self._refused(error))
            return
        self._pause.over()
        if flight.moved():
            # What arrived may be anything. Its name is freed again when the entry dies; the bytes go now.
            self._keep(flight, "moved")
            with contextlib.suppress(errors.SpillwayError):
                self.client._submit_free([flight.name], self._settings.space)
            return
        with self._lock:
            self._stats.land(flight.label, outcome.raw_bytes, outcome.stored_bytes)
        # In this order: who finds no source needs the generation.
        flight.generation = outcome.generation
        flight.let_go()

    def _keep(self, flight: Flight, reason: str) -> None:
        flight.stay()
        with self._lock:
            self._stats.keep(reason, flight.bytes)

    def _refused(self, error: errors.SpillwayError) -> str:
        """Notes why a request failed and names the reason."""
        self._pause.after(error)
        with self._lock:
            self._stats.last_error = str(error)
            # The settings as such work (_opening.py): it is this kind of tensor. Too large is told by the counts.
            warn = isinstance(error, errors.UsageError) and error.status != errors.TOO_LARGE and not self._warned
            self._warned = self._warned or warn
        if warn:
            warnings.warn(f"spillwayd refuses some tensors, which stay in the process: {error}", RuntimeWarning)
        return error.status_name.lower()

    def _count_failure(self, error: errors.SpillwayError) -> None:
        # In a forked child nobody looks at the counts, and the lock may be held for ever.
        if os.getpid() != self.pid:
            return
        with self._lock:
            self._stats.failures += 1
            self._stats.corrupt += isinstance(error, errors.CorruptError)
            self._stats.last_error = str(error)

    # The freeing thread

    def _free_retired(self) -> None:
        while not self._ended.is_set():
            self._free_batch(self.retired.get())

    def _free_batch(self, first: object) -> None:
        time.sleep(_GATHER_S)
        items = [first, *self._gathered()]
        retired = [item for item in items if isinstance(item, Retired)]
        self._forget(retired)
        self._withdraw(retired)
        self._free(retired)
        self._end_if_idle()
        for item in items:
            if isinstance(item, threading.Event):
                item.set()

    def _gathered(self) -> list:
        items = []
        try:
            while True:
                items.append(self.retired.get_nowait())
        except queue.Empty:
            return items

    def _forget(self, retired: list[Retired]) -> None:
        with self._lock:
            for item in retired:
                found = self._entries.get(item.key)
                # A younger entry may have taken the place.
                if found and found() is None:
                    del self._entries[item.key]

    def _withdraw(self, retired: list[Retired]) -> None:
        """Ends puts whose tensors nobody needs any more."""
        for item in retired:
            if item.flight and self._take_off(item.flight):
                with contextlib.suppress(errors.SpillwayError):
                    item.flight.ticket.cancel()
                item.flight.ticket.wait()
                with self._lock:
                    self._stats.withdrawn += 1

    def _free(self, retired: list[Retired]) -> None:
        freed = 0
        try:
            # A put that failed or was cancelled may have arrived all the same: its name is freed too.
            for names in batches(item.name for item in retired if item.flight):
                self.client._submit_free(names, self._settings.space).result()
            freed = sum(1 for item in retired if item.flight and item.flight.generation)
        except errors.SpillwayError as error:
            # What could not be freed now goes with the group, or is gone with the daemon's session already.
            self._missed_free = True
            self._refused(error)
        with self._lock:
            self._live -= len(retired)
            self._stats.freed += freed

    def _end_if_idle(self) -> None:
        with self._lock:
            if not self._exited or self._live:
                return
            self._ended.set()
        if self._owned:
            # The group ends with the connection.
            self.client.close()
        elif self._missed_free and not self._pause.reason():
            # A daemon's session that is gone has no groups any more.
            with contextlib.suppress(errors.SpillwayError):
                self.client.free_group(self._group)


class _Lent:
    """A dense tensor's memory."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self._tensor: torch.Tensor | None = tensor
        self.address = tensor.data_ptr()
        self.bytes = tensor.numel() * tensor.element_size()

    def release(self) -> None:
        self._tensor = None


def _outcome(native: ctypes.c_void_p) -> Outcome:
    info = ticket_info(native)
    return Outcome(info.raw_bytes, info.stored_bytes, info.generation)
