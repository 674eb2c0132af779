"""Which tensors leave the process, and which bytes of their storage."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from . import _dtypes

_NAMES = {
    "float32": "F32",
    "bfloat16": "BF16",
    "float16": "F16",
    "float64": "F64",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
    "int8": "I8",
    "uint8": "U8",
    "int16": "I16",
    "uint16": "U16",
    "int32": "I32",
    "uint32": "U32",
    "int64": "I64",
    "uint64": "U64",
    "bool": "BOOL",
    "complex32": "C32",
    "complex64": "C64",
    "complex128": "C128",
}

# Older versions of torch lack some of them.
DTYPES = {getattr(torch, theirs): _dtypes.BY_NAME[ours] for theirs, ours in _NAMES.items() if hasattr(torch, theirs)}

# torch's allocator aligns storages to this; kernels may take another path, and so round otherwise, for a tensor that
# starts elsewhere. What comes back therefore starts where the original did, modulo this.
_ALIGNMENT_BYTES = 64


def _is_parameter(tensor: torch.Tensor) -> bool:
    return isinstance(tensor, torch.nn.Parameter) or (tensor.is_leaf and tensor.requires_grad)


def reason_to_stay(tensor: torch.Tensor, min_bytes: int) -> str | None:
    """Why this tensor stays in the process; None if it may leave."""
    # First of all: they have neither a shape nor strides to ask for.
    if getattr(tensor, "is_nested", False):
        return "nested"
    if _is_parameter(tensor) or (tensor._base is not None and _is_parameter(tensor._base)):
        return "parameter"
    if type(tensor) is not torch.Tensor:
        return "subclass"
    if tensor.layout is not torch.strided:
        return "layout"
    if tensor.is_quantized:
        return "quantized"
    if tensor.dtype not in DTYPES:
        return "dtype"
    if tensor.device.type not in ("cpu", "cuda"):
        return "device"
    if distinct_elements(tensor) * tensor.element_size() < max(min_bytes, 1):
        return "small"
    if tensor.is_conj() or tensor.is_neg():
        return "lazy"
    if tensor.is_inference():
        return "inference"
    try:
        storage_of(tensor)
    except (NotImplementedError, RuntimeError):
        return "opaque"  # a wrapper that function transforms put round a tensor
    return None


def distinct_elements(tensor: torch.Tensor) -> int:
    """At most how many elements of its storage a tensor shows: an expanded one shows few of them many times."""
    if tensor.numel() == 0:
        return 0
    shown = math.prod(size for size, stride in zip(tensor.shape, tensor.stride()) if stride)
    return min(shown, span(tensor))


def span(tensor: torch.Tensor) -> int:
    """Elements of storage from the first to the last that a tensor with elements shows."""
    return 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride()))


def aligned_down(element: int, element_bytes: int) -> int:
    return element - element % max(1, _ALIGNMENT_BYTES // element_bytes)


class Extent(NamedTuple):
    """A run of elements of a storage. A tensor that shows too few of a run gets a run of its own, by copying."""

    first: int
    length: int


def whole(tensor: torch.Tensor) -> Extent:
    return Extent(0, storage_of(tensor).nbytes() // tensor.element_size())


def extent_of(tensor: torch.Tensor) -> Extent | None:
    """What to spill so that this tensor can be had back: its whole storage, which other tensors may share, if it shows
    at least half of that; else the part between its first and last element, if it shows half of that; else None, and
    it has to be copied together."""
    shown, spanned, everything = distinct_elements(tensor), span(tensor), whole(tensor)
    if 2 * shown >= everything.length:
        return everything
    if 2 * shown >= spanned:
        first = aligned_down(tensor.storage_offset(), tensor.element_size())
        return Extent(first, tensor.storage_offset() + spanned - first)
    return None


def elements(tensor: torch.Tensor, extent: Extent) -> torch.Tensor:
    """The run as a one-dimensional tensor over the same memory."""
    return tensor.detach().as_strided((extent.length,), (1,), extent.first)


def compact(tensor: torch.Tensor) -> tuple[torch.Tensor, tuple[int, ...]]:
    """A copy of what the tensor shows, and the strides under which the copy shows it. The order of the dimensions in
    memory stays; dimensions of stride 0 take no room."""
    sizes = [size if stride else 1 for size, stride in zip(tensor.shape, tensor.stride())]
    dense = tensor.detach().as_strided(sizes, tensor.stride(), tensor.storage_offset())
    copy = torch.empty_like(dense, memory_format=torch.preserve_format).copy_(dense)
    strides = tuple(new if old else 0 for new, old in zip(copy.stride(), tensor.stride()))
    return elements(copy, whole(copy)), strides


def storage_of(tensor: torch.Tensor) -> torch.UntypedStorage:
    # Before torch 2 the untyped storage hid behind a typed one.
    return tensor.untyped_storage() if hasattr(tensor, "untyped_storage") else tensor.storage().untyped()
