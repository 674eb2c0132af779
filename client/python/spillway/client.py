"""The client of a spillwayd."""

from __future__ import annotations

import ctypes
import os
import sys
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from . import _dtypes, _info, _link, _native, errors, policy
from . import run as run_
from ._args import Deadline, batches, get_args, ms, put_args, text
from ._buffers import NOTHING, Lent, Loan, lend_readable
from ._collect import collect
from ._info import ObjectInfo, SpaceInfo
from ._native import byref, lib
from .policy import PolicySet
from .run import Run
from .ticket import Ticket, ticket_info

if TYPE_CHECKING:
    import numpy

__all__ = ["Client", "ObjectInfo", "SpaceInfo", "Ticket"]

# How often get starts over when somebody replaces the object between asking for its size and fetching it.
_GET_TRIES = 5

T = TypeVar("T")
_Finish = Callable[[ctypes.c_void_p], T]

_Names = list[str]
_Objects = list[ObjectInfo]
_Spaces = list[SpaceInfo]


class Client:
    """A connection to spillwayd. Any number of threads may use it at once.

    `endpoint` is "unix:PATH" or "tcp:HOST:PORT"; without one, $SPILLWAY_ENDPOINT and then the usual sockets are tried.
    Times are seconds. A broken connection is restored behind the caller's back. What the daemon knows under a group
    number ends with the client; other objects stay. A keyboard interrupt ends every wait.

    In a forked child every call raises ForkedError: connect anew there.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        name: str | None = None,
        connect_timeout: float = 5.0,
        timeout: float = 60.0,
    ) -> None:
        program = name or os.path.basename(sys.argv[0] if sys.argv else "") or "python"
        # There the library computes checksums of lent memory, at any time until the request is done.
        self._over_tcp = (endpoint or os.environ.get("SPILLWAY_ENDPOINT", "")).startswith("tcp:")
        self._link = _link.connect(endpoint, program, ms(connect_timeout), ms(timeout))
        self._finalizer = weakref.finalize(self, self._link.close)

    def close(self) -> None:
        """Ends the session: requests under way are cancelled, and the daemon frees its groups. Twice is fine."""
        self._link.close()
        self._finalizer.detach()

    @property
    def closed(self) -> bool:
        return self._link.closed

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # Storing

    def put(
        self,
        name: str,
        data: Any,
        *,
        dtype: str | None = None,
        shape: Sequence[int] | None = None,
        kind: str = "other",
        space: str | None = None,
        group: int = 0,
        format: str | None = None,
        seed: int = 0,
        run: Run | None = None,
        step: int | None = None,
        timeout: float | None = None,
    ) -> ObjectInfo:
        """Stores a numpy array or any other buffer under `name`, replacing atomically what had it.

        dtype ("BF16") and shape say what the bytes mean where the buffer does not. `format` None lets the space's
        policies decide, which is lossless unless somebody said otherwise; "auto" looks at the values. Formats that
        round stochastically draw by `seed`; 0 lets the daemon make one of the name and of what it replaces. With a
        `run` the tensor is stored at that run's widths of `step`, by default the one that the run is at, and drawn by
        the run's seed.
        """
        loan = lend_readable(data)
        args = put_args(loan, name, dtype, shape, kind, space, group, format, timeout, seed, run, step)
        return self._submit_put(loan, args, _result_info).result()

    def put_async(
        self,
        name: str,
        data: Any,
        *,
        dtype: str | None = None,
        shape: Sequence[int] | None = None,
        kind: str = "other",
        space: str | None = None,
        group: int = 0,
        format: str | None = None,
        seed: int = 0,
        run: Run | None = None,
        step: int | None = None,
        timeout: float | None = None,
    ) -> Ticket[ObjectInfo]:
        """Like put, but returns at once. The data must stay as it is until the ticket is done."""
        loan = lend_readable(data)
        args = put_args(loan, name, dtype, shape, kind, space, group, format, timeout, seed, run, step)
        return self._submit_put(loan, args, _result_info)

    # Fetching

    def get(
        self, name: str, *, space: str | None = None, generation: int = 0, timeout: float | None = None
    ) -> numpy.ndarray:
        """The tensor as a numpy array. BF16 and 8-bit floats, which numpy lacks, come as unsigned integers."""
        return self._get_whole(name, _empty_array, space, generation, timeout)

    def get_into(
        self, name: str, out: Any, *, space: str | None = None, generation: int = 0, timeout: float | None = None
    ) -> int:
        """Fetches the tensor's bytes into a writable buffer of at least their size, and says how many they are.

        After an error the buffer's content is undefined.
        """
        return self._get(name, out, space, 0, 0, generation, timeout)

    def get_bytes(self, name: str, *, space: str | None = None, timeout: float | None = None) -> bytearray:
        """The tensor's bytes."""
        return self._get_whole(name, lambda info: bytearray(info.raw_bytes), space, 0, timeout)

    def get_range(
        self, name: str, offset: int, length: int, *, space: str | None = None, timeout: float | None = None
    ) -> bytearray:
        """`length` bytes of the tensor from byte `offset` on. Only the chunks they lie in are decoded."""
        out = bytearray(length)
        # For the library a length of 0 means "to the end".
        if length:
            self._get(name, out, space, offset, length, 0, timeout)
        return out

    def get_async(
        self,
        name: str,
        out: Any = None,
        *,
        space: str | None = None,
        generation: int = 0,
        timeout: float | None = None,
    ) -> Ticket[Any]:
        """Like get_into, but returns at once; the ticket's result is `out`.

        Without `out` it is a new numpy array, whose size this call has to ask for first.
        """
        if out is None:
            deadline = Deadline(timeout)
            info = self.stat(name, space=space, timeout=timeout)
            timeout = deadline.left()
            out, generation = _empty_array(info), generation or info.generation
        loan = Loan(out, writable=True)
        args = get_args(name, space, 0, 0, generation, timeout)
        return self._submit_get(loan, args, lambda _: out)

    def _get_whole(
        self,
        name: str,
        make: Callable[[ObjectInfo], Any],
        space: str | None,
        generation: int,
        timeout: float | None,
    ) -> Any:
        """Asks for the size, has memory made for it, and fetches what had that size and nothing newer."""
        deadline = Deadline(timeout)
        for _ in range(_GET_TRIES):
            info = self.stat(name, space=space, timeout=deadline.left())
            out = make(info)
            try:
                self._get(name, out, space, 0, 0, generation or info.generation, deadline.left())
                return out
            except errors.NotFoundError:
                if generation:
                    raise
        raise errors.make(errors.NOT_FOUND, f"{name} is being replaced faster than it can be fetched")

    def _get(
        self,
        name: str,
        out: Any,
        space: str | None,
        offset: int,
        length: int,
        generation: int,
        timeout: float | None,
    ) -> int:
        args = get_args(name, space, offset, length, generation, timeout)
        return self._submit_get(Loan(out, writable=True), args, _result_got).result()

    # Every request is a ticket, waited for or not: closing the client can then end it, and a keyboard interrupt ends
    # the wait and leaves memory that is still being read or written alive.

    def _submit(self, finish: _Finish[T], call: Callable[..., int], *args: Any, loan: Lent = NOTHING) -> Ticket[T]:
        ticket = Ticket(self._link, loan, finish)
        self._link.submit(ticket.native, loan, call, *args)
        return ticket

    def _submit_put(self, loan: Lent, args: _native.PutArgs, finish: _Finish[T]) -> Ticket[T]:
        return self._submit(finish, lib.sw_submit_put, byref(args), loan.address, loan=loan)

    def _submit_get(self, loan: Lent, args: _native.GetArgs, finish: _Finish[T]) -> Ticket[T]:
        return self._submit(finish, lib.sw_submit_get, byref(args), loan.address, loan.bytes, loan=loan)

    def _submit_free(self, names: _Names, space: str | None) -> Ticket[int]:
        """At most one request's worth of names; see batches()."""
        array = (ctypes.c_char_p * len(names))(*map(text, names))
        return self._submit(_result_freed, lib.sw_submit_free, text(space), array, len(names))

    # Looking and removing

    def stat(self, name: str, *, space: str | None = None, timeout: float | None = None) -> ObjectInfo:
        return self._submit(_result_info, lib.sw_submit_stat, text(space), text(name), ms(timeout)).result()

    def list(self, prefix: str = "", *, space: str | None = None, timeout: float | None = None) -> _Objects:
        """The objects whose names begin with `prefix`, in the order of their names. `timeout` is that of one page."""

        def submit(after: str) -> Ticket[None]:
            args = _native.ListArgs(text(space), text(prefix), text(after), ms(timeout))
            return self._submit(_nothing, lib.sw_submit_list, byref(args))

        return self._pages(
            submit,
            lib.sw_ticket_list,
            _native.LIST_FN,
            lambda info, _: _info.of_native(info.contents),
            _name_of,
        )

    def spaces(self, *, timeout: float | None = None) -> _Spaces:
        def submit(after: str) -> Ticket[None]:
            return self._submit(_nothing, lib.sw_submit_list_spaces, text(after), ms(timeout))

        return self._pages(
            submit,
            lib.sw_ticket_spaces,
            _native.SPACE_FN,
            lambda info, _: _info.space_of_native(info.contents),
            _space_of,
        )

    def stats(self, *, timeout: float | None = None) -> dict[str, int]:
        """The daemon's counters."""
        ticket = self._submit(_nothing, lib.sw_submit_stats, ms(timeout))
        ticket.result()

        def read(each: Callable[..., int]) -> None:
            err = _native.Error()
            errors.check(lib.sw_ticket_stats(ticket.native, _native.STATS_FN(each), None, byref(err)), err)

        return dict(collect(read, lambda name, value, _: (name.decode(), value)))

    def free(self, names: str | Iterable[str], *, space: str | None = None) -> int:
        """Removes objects and says how many of them existed."""
        every = [names] if isinstance(names, str) else names
        return sum(self._submit_free(batch, space).result() for batch in batches(every))

    def new_group(self) -> int:
        """A group number that this client has not used: objects put with it can be freed together."""
        return self._link.new_group()

    def free_group(self, group: int, *, timeout: float | None = None) -> int:
        """Removes all objects of a group and says how many they were."""
        return self._submit(_result_freed, lib.sw_submit_free_group, group, ms(timeout)).result()

    # Policies and runs

    def push_policies(
        self, policies: PolicySet | str, *, expected_version: int | None = None, space: str | None = None
    ) -> int:
        """Puts a set of policies, or its text, in force in the place of all that its space had. The version it gets.

        With `expected_version` only in the place of that one, else StaleError; 0 is for a space without any. Only a
        space's owner may: DeniedError. `space` is for a set that names none.
        """
        set_ = policies if isinstance(policies, str) else policies.in_space(space).to_text()
        encoded = set_.encode()
        expected = _native.ANY_VERSION if expected_version is None else expected_version
        return self._submit(
            _result_version, lib.sw_submit_policies_push, encoded, len(encoded), ctypes.c_uint64(expected)
        ).result()

    def policies(self, space: str = "default") -> PolicySet:
        """The policies in force; version 0 and none where nobody has pushed any."""
        return policy.parse(self._submit(_result_policies, lib.sw_submit_policies_get, text(space)).result())

    def open_run(
        self, name: str, *, space: str = "default", seed: int = 0, steps: int = 0, members: int = 0
    ) -> Run:
        """Opens a run, or joins one that another worker has opened with the same settings.

        seed     of draws and stochastic rounding
        steps    of the whole job; 0: not known, and nothing freezes by itself
        members  that report; 0: as many as have joined
        """
        return run_.open_run(self, name, space, seed, steps, members)

    def ping(self, *, timeout: float | None = None) -> float:
        """Seconds that one round trip takes."""
        begin = time.perf_counter()
        self._submit(_nothing, lib.sw_submit_ping, ms(timeout)).result()
        return time.perf_counter() - begin

    def _pages(
        self,
        submit: Callable[[str], Ticket[None]],
        reader: Callable[..., int],
        callback: Callable[..., Any],
        convert: Callable[..., T],
        name_of: Callable[[T], str],
    ) -> Sequence[T]:
        """All items of a list that comes in pages."""
        found: Any = []
        more = ctypes.c_int(1)
        while more.value:
            ticket = submit(name_of(found[-1]) if found else "")
            ticket.result()

            def read(each: Callable[..., int], ticket: Ticket[None] = ticket) -> None:
                err = _native.Error()
                errors.check(reader(ticket.native, callback(each), None, byref(more), byref(err)), err)

            found.extend(collect(read, convert))
        return found


def _nothing(native: ctypes.c_void_p) -> None:
    """What a request that brings nothing brings, and one whose answer is read apart."""


def _result_info(native: ctypes.c_void_p) -> ObjectInfo:
    return _info.of_native(ticket_info(native))


def _result_got(native: ctypes.c_void_p) -> int:
    got = ctypes.c_size_t()
    lib.sw_ticket_result(native, byref(got), None, None)
    return got.value


def _result_version(native: ctypes.c_void_p) -> int:
    version, err = ctypes.c_uint64(), _native.Error()
    errors.check(lib.sw_ticket_policies_push(native, byref(version), byref(err)), err)
    return version.value


def _result_policies(native: ctypes.c_void_p) -> str:
    held, err = ctypes.c_void_p(), _native.Error()
    errors.check(lib.sw_ticket_policies_get(native, byref(held), None, byref(err)), err)
    try:
        return ctypes.string_at(held).decode()
    finally:
        lib.sw_text_free(held)


def _result_freed(native: ctypes.c_void_p) -> int:
    freed = ctypes.c_uint64()
    lib.sw_ticket_freed(native, byref(freed), None)
    return freed.value


def _name_of(info: ObjectInfo) -> str:
    return info.name


def _space_of(info: SpaceInfo) -> str:
    return info.space


def _empty_array(info: ObjectInfo) -> numpy.ndarray:
    try:
        import numpy
    except ImportError as missing:
        raise ImportError("get hands out numpy arrays: install numpy, or use get_into or get_range") from missing
    return numpy.empty(info.shape, _dtypes.BY_NAME[info.dtype].numpy)
