"""The client of a spillwayd."""

from __future__ import annotations

import ctypes
import os
import sys
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from . import _dtypes, _info, _link, _native, errors
from ._buffers import NOTHING, Lent, Loan, lend_readable
from ._info import ObjectInfo, SpaceInfo
from ._native import byref, lib
from .ticket import Ticket

if TYPE_CHECKING:
    import numpy

__all__ = ["Client", "ObjectInfo", "SpaceInfo", "Ticket"]

# One request's names must fit into one message of 64 KiB.
_FREE_NAMES = 512
_FREE_BYTES = 32 * 1024

# How often get starts over when somebody replaces the object between asking for its size and fetching it.
_GET_TRIES = 5

T = TypeVar("T")

_Names = list[str]
_Objects = list[ObjectInfo]
_Spaces = list[SpaceInfo]


class Client:
    """A connection to spillwayd. Any number of threads may use it at once.

    `endpoint` is "unix:PATH" or "tcp:HOST:PORT"; without one, $SPILLWAY_ENDPOINT and then the usual sockets are tried.
    Times are seconds. A broken connection is restored behind the caller's back. What the daemon knows under a group
    number ends with the client; other objects stay.

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
        self._link = _link.connect(endpoint, program, _ms(connect_timeout), _ms(timeout))
        self._finalizer = weakref.finalize(self, self._link.close)

    def close(self) -> None:
        """Ends the session: requests under way are cancelled, and the daemon frees its groups. Twice is fine."""
        self._finalizer()

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
        timeout: float | None = None,
    ) -> ObjectInfo:
        """Stores a numpy array or any other buffer under `name`, replacing atomically what had it.

        dtype ("BF16") and shape say what the bytes mean where the buffer does not. `format` None lets the daemon's
        policy decide, which is lossless unless somebody said otherwise.
        """
        loan = lend_readable(data)
        args = _put_args(loan, name, dtype, shape, kind, space, group, format, timeout)
        return self._submit_put(loan, args, _info.of_native).result()

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
        timeout: float | None = None,
    ) -> Ticket[ObjectInfo]:
        """Like put, but returns at once. The data must stay as it is until the ticket is done."""
        loan = lend_readable(data)
        args = _put_args(loan, name, dtype, shape, kind, space, group, format, timeout)
        return self._submit_put(loan, args, _info.of_native)

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
            info = self.stat(name, space=space)
            out, generation = _empty_array(info), generation or info.generation
        loan = Loan(out, writable=True)
        args = _get_args(name, space, 0, 0, generation, timeout)
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
        for _ in range(_GET_TRIES):
            info = self.stat(name, space=space)
            out = make(info)
            try:
                self._get(name, out, space, 0, 0, generation or info.generation, timeout)
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
        args = _get_args(name, space, offset, length, generation, timeout)
        return self._submit_get(Loan(out, writable=True), args, lambda got: got).result()

    # Every put and get is a ticket, waited for or not: closing the client can then end it, and a keyboard interrupt
    # leaves memory that is still being read or written alive.

    def _submit_put(self, loan: Lent, args: _native.PutArgs, finish: Callable[[_native.Info], T]) -> Ticket[T]:
        native, err = ctypes.c_void_p(), _native.Error()
        with self._link as handle:
            status = lib.sw_submit_put(handle, byref(args), loan.address, None, None, byref(native), byref(err))
            errors.check(status, err)
            return Ticket(self._link, _address(native), loan, lambda got, info: finish(info))

    def _submit_get(self, loan: Lent, args: _native.GetArgs, finish: Callable[[int], T]) -> Ticket[T]:
        native, err = ctypes.c_void_p(), _native.Error()
        with self._link as handle:
            status = lib.sw_submit_get(
                handle, byref(args), loan.address, loan.bytes, None, None, byref(native), byref(err)
            )
            errors.check(status, err)
            return Ticket(self._link, _address(native), loan, lambda got, info: finish(got))

    def _submit_free(self, names: _Names, space: str) -> Ticket[None]:
        """At most one request's worth of names; see batches()."""
        native, err = ctypes.c_void_p(), _native.Error()
        array = (ctypes.c_char_p * len(names))(*map(_text, names))
        with self._link as handle:
            status = lib.sw_submit_free(handle, _text(space), array, len(names), None, None, byref(native), byref(err))
            errors.check(status, err)
            return Ticket(self._link, _address(native), NOTHING, lambda got, info: None)

    # Looking and removing

    def stat(self, name: str, *, space: str | None = None) -> ObjectInfo:
        info, err = _native.Info(), _native.Error()
        with self._link as handle:
            errors.check(lib.sw_stat(handle, _text(space), _text(name), byref(info), byref(err)), err)
        return _info.of_native(info)

    def list(self, prefix: str = "", *, space: str | None = None) -> _Objects:
        """The objects whose names begin with `prefix`, in the order of their names."""
        found: _Objects = []
        err = _native.Error()

        def each(info: Any, _: None) -> int:
            found.append(_info.of_native(info.contents))
            return 0

        with self._link as handle:
            errors.check(lib.sw_list(handle, _text(space), _text(prefix), _native.LIST_FN(each), None, byref(err)), err)
        return found

    def spaces(self) -> _Spaces:
        found: _Spaces = []
        err = _native.Error()

        def each(info: Any, _: None) -> int:
            found.append(_info.space_of_native(info.contents))
            return 0

        with self._link as handle:
            errors.check(lib.sw_list_spaces(handle, _native.SPACE_FN(each), None, byref(err)), err)
        return found

    def stats(self) -> dict[str, int]:
        """The daemon's counters."""
        found: dict[str, int] = {}
        err = _native.Error()

        def each(name: bytes, value: int, _: None) -> int:
            found[name.decode()] = value
            return 0

        with self._link as handle:
            errors.check(lib.sw_stats(handle, _native.STATS_FN(each), None, byref(err)), err)
        return found

    def free(self, names: str | Iterable[str], *, space: str | None = None) -> int:
        """Removes objects and says how many of them existed."""
        freed = 0
        for batch in batches([names] if isinstance(names, str) else names):
            count, err = ctypes.c_uint64(), _native.Error()
            array = (ctypes.c_char_p * len(batch))(*map(_text, batch))
            with self._link as handle:
                errors.check(lib.sw_free(handle, _text(space), array, len(batch), byref(count), byref(err)), err)
            freed += count.value
        return freed

    def new_group(self) -> int:
        """A group number that this client has not used: objects put with it can be freed together."""
        with self._link as handle:
            return lib.sw_new_group(handle)

    def free_group(self, group: int) -> int:
        """Removes all objects of a group and says how many they were."""
        count, err = ctypes.c_uint64(), _native.Error()
        with self._link as handle:
            errors.check(lib.sw_free_group(handle, group, byref(count), byref(err)), err)
        return count.value

    def ping(self) -> float:
        """Seconds that one round trip takes."""
        rtt_ns, err = ctypes.c_uint64(), _native.Error()
        with self._link as handle:
            errors.check(lib.sw_ping(handle, byref(rtt_ns), byref(err)), err)
        return rtt_ns.value / 1e9


def _ms(seconds: float | None) -> int:
    """Milliseconds for the library, where 0 would mean its default."""
    return 0 if seconds is None else max(1, min(int(seconds * 1000), 0xFFFFFFFF))


def _text(text: str | None) -> bytes | None:
    if text is not None and "\0" in text:
        raise ValueError("names cannot hold a NUL character")
    return None if text is None else text.encode()


def _address(native: ctypes.c_void_p) -> int:
    assert native.value is not None
    return native.value


def _kind(kind: str) -> int:
    if kind not in _info.KINDS:
        raise ValueError(f"unknown kind {kind!r}; there are {', '.join(_info.KINDS)}")
    return _info.KINDS.index(kind)


def _put_args(
    loan: Loan,
    name: str,
    dtype_name: str | None,
    shape: Sequence[int] | None,
    kind: str,
    space: str | None,
    group: int,
    format_: str | None,
    timeout: float | None,
) -> _native.PutArgs:
    dtype = _dtypes.of_name(dtype_name) if dtype_name else _dtypes.of_buffer(loan.format, loan.itemsize)
    if shape is None:
        same_width = loan.itemsize == dtype.bytes
        shape = loan.shape if same_width else (loan.bytes // dtype.bytes,)
    count = 1
    for size in shape:
        count *= size
    # The library reads as many bytes as the shape says.
    if count * dtype.bytes != loan.bytes:
        raise ValueError(f"{dtype.name} of shape {tuple(shape)} takes {count * dtype.bytes} bytes, not {loan.bytes}")
    sizes = (ctypes.c_uint64 * max(1, len(shape)))(*shape)
    return _native.PutArgs(
        _text(space), _text(name), _kind(kind), dtype.number, len(shape), sizes, group, _text(format_), _ms(timeout)
    )


def _get_args(
    name: str, space: str | None, offset: int, length: int, generation: int, timeout: float | None
) -> _native.GetArgs:
    return _native.GetArgs(_text(space), _text(name), offset, length, generation, 0, _ms(timeout))


def _empty_array(info: ObjectInfo) -> numpy.ndarray:
    try:
        import numpy
    except ImportError as missing:
        raise ImportError("get hands out numpy arrays: install numpy, or use get_into or get_range") from missing
    return numpy.empty(info.shape, _dtypes.BY_NAME[info.dtype].numpy)


def batches(names: Iterable[str]) -> Iterable[_Names]:
    """Cuts names into what fits into one request each."""
    batch: _Names = []
    used = 0
    for name in names:
        if batch and (len(batch) == _FREE_NAMES or used + len(name) > _FREE_BYTES):
            yield batch
            batch, used = [], 0
        batch.append(name)
        used += 4 * len(name)
    if batch:
        yield batch
