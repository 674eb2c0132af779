"""What the daemon tells of stored objects."""

from __future__ import annotations

from dataclasses import dataclass

from . import _dtypes, _native

KINDS = ("other", "activation", "weight", "gradient", "optimizer")


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """A stored object.

    `policy_version` is that of the policies that chose the format; 0 where whoever put it did. The fields after
    `chunks` are what encoding found: put, get and stat tell them, list does not.
    """

    space: str
    name: str
    format: str
    kind: str
    dtype: str
    shape: tuple[int, ...]
    group: int
    raw_bytes: int
    stored_bytes: int
    generation: int
    policy_version: int
    age_ms: int
    chunks: int
    flushed: int
    saturated: int
    nonfinite_chunks: int
    signs_kept_chunks: int
    raw_chunks: int
    sign_bits: int
    exponent_bits: int
    mantissa_bits: int
    raw_bits: int
    metadata_bits: int

    @property
    def ratio(self) -> float:
        """Raw bytes per stored byte."""
        return self.raw_bytes / self.stored_bytes if self.stored_bytes else 1.0


@dataclass(frozen=True, slots=True)
class SpaceInfo:
    """A namespace. quota_bytes is 0 where there is none."""

    space: str
    objects: int
    raw_bytes: int
    stored_bytes: int
    quota_bytes: int


_COUNTS = tuple(ObjectInfo.__dataclass_fields__)[6:]


def of_native(info: _native.Info) -> ObjectInfo:
    dtype = _dtypes.BY_NUMBER.get(info.dtype)
    return ObjectInfo(
        info.space.decode(),
        info.name.decode(),
        info.format.decode(),
        KINDS[info.kind] if info.kind < len(KINDS) else str(info.kind),
        dtype.name if dtype else str(info.dtype),
        tuple(info.shape[: info.ndim]),
        *(getattr(info, count) for count in _COUNTS),
    )


def space_of_native(info: _native.SpaceInfo) -> SpaceInfo:
    return SpaceInfo(info.space.decode(), info.objects, info.raw_bytes, info.stored_bytes, info.quota_bytes)
