"""What offloading did."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Landed:
    """Tensors that came to the daemon."""

    count: int = 0
    raw_bytes: int = 0
    stored_bytes: int = 0


@dataclass
class OffloadStats:
    """Counts of one offload object, over all its blocks."""

    spilled: int = 0  # tensors that are or were in the daemon
    withdrawn: int = 0  # tensors that autograd dropped before they had arrived there
    shared: int = 0  # saves whose bytes were there already
    raw_bytes: int = 0  # of the spilled
    stored_bytes: int = 0  # what they take in the daemon
    labels: dict[str, Landed] = field(default_factory=dict)  # the same three by label: the kind, or what a format named
    fetched: int = 0
    fetched_bytes: int = 0
    freed: int = 0
    failures: int = 0  # fetches that raised
    corrupt: int = 0  # of these: damaged bytes
    kept: dict[str, int] = field(default_factory=dict)  # saves that stayed in the process, by reason
    kept_bytes: int = 0  # of these, but parameters, which stay anyway
    last_error: str = ""

    def land(self, label: str, raw_bytes: int, stored_bytes: int) -> None:
        landed = self.labels.setdefault(label, Landed())
        for counts in (self, landed):
            counts.raw_bytes += raw_bytes
            counts.stored_bytes += stored_bytes
        self.spilled += 1
        landed.count += 1

    def keep(self, reason: str, saved_bytes: int) -> None:
        self.kept[reason] = self.kept.get(reason, 0) + 1
        if reason != "parameter":
            self.kept_bytes += saved_bytes
