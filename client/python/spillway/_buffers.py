"""Memory of Python objects, lent to C."""

from __future__ import annotations

import ctypes
from typing import Any, Protocol

_WRITABLE, _C_CONTIGUOUS, _FORMAT = 0x0001, 0x0038, 0x0004


class _PyBuffer(ctypes.Structure):
    _fields_ = [
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.c_void_p),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", ctypes.c_char_p),
        ("shape", ctypes.POINTER(ctypes.c_ssize_t)),
        ("strides", ctypes.POINTER(ctypes.c_ssize_t)),
        ("suboffsets", ctypes.POINTER(ctypes.c_ssize_t)),
        ("internal", ctypes.c_void_p),
    ]


# Looked up at import: at interpreter shutdown, when release may run, there may be no module to look it up in.
_get_buffer = ctypes.pythonapi.PyObject_GetBuffer
_get_buffer.argtypes = [ctypes.py_object, ctypes.POINTER(_PyBuffer), ctypes.c_int]
_release_buffer = ctypes.pythonapi.PyBuffer_Release
_release_buffer.argtypes = [ctypes.POINTER(_PyBuffer)]


class Lent(Protocol):
    """Memory that stays where it is until release()."""

    address: int | None
    bytes: int

    def release(self) -> None:
        ...


class _Nothing:
    address: int | None = None
    bytes = 0

    def release(self) -> None:
        pass


NOTHING: Lent = _Nothing()


class Loan:
    """The memory of any object with the buffer protocol, in row-major order, until release().

    While it lasts the owner can neither move nor free it: a bytearray refuses to grow, an mmap to close. That is what
    keeps a request under way from reading memory that is gone. Objects laid out otherwise raise BufferError.
    """

    def __init__(self, owner: Any, writable: bool = False) -> None:
        self._view = _PyBuffer()
        self._held = False
        _get_buffer(owner, self._view, _C_CONTIGUOUS | _FORMAT | (_WRITABLE if writable else 0))
        self._held = True
        self.address: int | None = self._view.buf
        self.bytes: int = self._view.len
        self.itemsize: int = self._view.itemsize
        self.format: str = (self._view.format or b"B").decode()
        self.shape: tuple[int, ...] = tuple(self._view.shape[: self._view.ndim]) if self._view.ndim else ()

    def release(self) -> None:
        if self._held:
            self._held = False
            _release_buffer(self._view)

    def __enter__(self) -> Loan:
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()

    __del__ = release


def lend_readable(owner: Any) -> Loan:
    """Like Loan, but numpy arrays of any layout are copied into row-major order first."""
    try:
        return Loan(owner)
    except TypeError as unreadable:
        if not hasattr(owner, "numpy"):
            raise
        # A tensor of torch's, perhaps on another device or a part of a graph: what is stored is the caller's to say.
        raise TypeError(
            f"put takes numpy arrays and other buffers, not {type(owner).__module__}.{type(owner).__qualname__}: "
            "pass tensor.detach().cpu().numpy(), and for BF16, which numpy lacks, "
            "tensor.detach().cpu().view(torch.int16).numpy() with dtype='BF16'"
        ) from unreadable
    except (BufferError, ValueError):
        if not hasattr(owner, "__array_interface__"):
            raise
    import numpy

    return Loan(numpy.ascontiguousarray(owner))
