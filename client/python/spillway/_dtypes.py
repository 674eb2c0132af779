"""Element types: Spillway's names and numbers, and what other libraries call them."""

from __future__ import annotations

from typing import NamedTuple


class Dtype(NamedTuple):
    name: str
    number: int
    bytes: int
    numpy: str  # what `get` hands out; types that numpy lacks come as unsigned integers of the same width
    buffer: str  # format characters of the buffer protocol that mean it


ALL = (
    Dtype("F32", 1, 4, "float32", "f"),
    Dtype("BF16", 2, 2, "uint16", ""),
    Dtype("F16", 3, 2, "float16", "e"),
    Dtype("F64", 4, 8, "float64", "d"),
    Dtype("F8_E4M3", 5, 1, "uint8", ""),
    Dtype("F8_E5M2", 6, 1, "uint8", ""),
    Dtype("I8", 16, 1, "int8", "b"),
    Dtype("U8", 17, 1, "uint8", "Bc"),
    Dtype("I16", 18, 2, "int16", "h"),
    Dtype("U16", 19, 2, "uint16", "H"),
    Dtype("I32", 20, 4, "int32", "i"),
    Dtype("U32", 21, 4, "uint32", "I"),
    Dtype("I64", 22, 8, "int64", "q"),
    Dtype("U64", 23, 8, "uint64", "Q"),
    Dtype("BOOL", 32, 1, "bool", "?"),
    Dtype("C32", 40, 4, "uint32", ""),
    Dtype("C64", 41, 8, "complex64", ""),
    Dtype("C128", 42, 16, "complex128", ""),
)

BY_NAME = {dtype.name: dtype for dtype in ALL}
BY_NUMBER = {dtype.number: dtype for dtype in ALL}
_BY_BUFFER = {char: dtype for dtype in ALL for char in dtype.buffer} | {"Zf": BY_NAME["C64"], "Zd": BY_NAME["C128"]}


def of_name(name: str) -> Dtype:
    if (dtype := BY_NAME.get(name.upper())) is None:
        raise ValueError(f"unknown dtype {name!r}; Spillway has {', '.join(BY_NAME)}")
    return dtype


def of_buffer(format_: str, itemsize: int) -> Dtype:
    """The type that the buffer protocol describes. `l` and `L` are as wide as the platform has them."""
    code = format_.lstrip("@=<") or "B"
    if code in "lL":
        code = {("l", 4): "i", ("l", 8): "q", ("L", 4): "I", ("L", 8): "Q"}[code, itemsize]
    if (dtype := _BY_BUFFER.get(code)) is None or dtype.bytes != itemsize:
        raise TypeError(f"elements of buffer format {format_!r} are no dtype of Spillway: name one, as in dtype='BF16'")
    return dtype
