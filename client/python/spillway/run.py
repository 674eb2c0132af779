"""Runs: training jobs whose workers share the widths that learners find."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import _info, _native, errors
from ._args import kind_number, text
from ._collect import collect
from ._native import byref, lib

if TYPE_CHECKING:
    from .client import Client

__all__ = ["Bitlengths", "Learned", "Reported", "Run", "StepWidths"]

# So many tensors of long names fit into one request.
_LEARNED_A_REQUEST = 48


@dataclass(frozen=True, slots=True)
class Bitlengths:
    """What a policy stores from `effective_step` on. exponent_bits is 0 for the format's own exponents."""

    policy: str
    kind: str
    mantissa_bits: float
    exponent_bits: float
    effective_step: int
    format: str


@dataclass(frozen=True, slots=True)
class StepWidths:
    """The widths of one step, by policy: the same for every worker.

    `probes` has widths to try at this step on the same samples, for a paired report, of the policies that want one.
    """

    step: int
    policy_version: int
    frozen: bool
    policies: dict[str, Bitlengths]
    probes: dict[str, Bitlengths]


@dataclass(frozen=True, slots=True)
class Learned:
    """Widths of a tensor as its trainer learned them."""

    policy: str
    tensor: str
    mantissa_bits: float
    exponent_bits: float = 0.0
    kind: str = "activation"


@dataclass(frozen=True, slots=True)
class Reported:
    """What a report brought. The run's latest widths hold from `effective_step` on.

    changed  that step is still to come: somebody's report has moved the widths
    reset    full widths are restored
    """

    effective_step: int
    changed: bool
    reset: bool


class Run:
    """One worker's part in a run: what Client.open_run gives. Its `step` counts the reports."""

    def __init__(self, client: Client, name: str, member: int, space: str, steps: int) -> None:
        self.client = client
        self.name = name
        self.member = member
        self.space = space
        self.steps = steps
        self.step = 0

    def report(
        self,
        loss: float,
        learning_rate: float = 0.0,
        *,
        step: int | None = None,
        paired: tuple[float, float, float] | None = None,
    ) -> Reported:
        """Reports the loss of a step, by default the one that the run is at, and goes on to the next.

        `paired` has losses of the same samples at full, current and reduced widths, for learners that probe in pairs.
        A loss that is NaN or infinite raises NotFiniteError; the learners have restored full widths then, and the run
        goes on.
        """
        reported = self.step if step is None else step
        self.step = reported + 1
        args = _native.ReportArgs(
            self.name.encode(), self.member, reported, loss, learning_rate, paired is not None, *(paired or (0, 0, 0))
        )
        result = self.client._submit(_result_report, lib.sw_submit_run_report, byref(args)).result()
        return Reported(result.effective_step, result.effective_step > reported, bool(result.reset))

    def bitlengths(self, step: int | None = None) -> StepWidths:
        """The widths of a step, by default the one that the run is at. Asking fixes them for every worker."""
        asked = self.step if step is None else step
        ticket = self.client._submit(
            lambda _: None, lib.sw_submit_run_bitlengths, self.name.encode(), ctypes.c_uint64(asked)
        )
        ticket.result()
        info = _native.StepInfo()

        def read(each) -> None:
            err = _native.Error()
            callback = _native.BITLENGTHS_FN(each)
            errors.check(lib.sw_ticket_run_bitlengths(ticket.native, callback, None, byref(info), byref(err)), err)

        found = collect(read, lambda widths, _: (bool(widths.contents.probe), _of_native(widths.contents)))
        policies, probes = ({w.policy: w for probe, w in found if probe == wanted} for wanted in (False, True))
        return StepWidths(asked, info.policy_version, bool(info.frozen), policies, probes)

    def report_learned(self, learned: Iterable[Learned], *, step: int | None = None) -> None:
        """Tells the daemon what the trainer has learned, for display."""
        at = self.step if step is None else step
        every = list(learned)
        for first in range(0, len(every), _LEARNED_A_REQUEST):
            part = every[first : first + _LEARNED_A_REQUEST]
            array = (_native.Bitlengths * len(part))(*map(_to_native, part))
            self.client._submit(
                lambda _: None,
                lib.sw_submit_run_report_learned,
                self.name.encode(),
                self.member,
                ctypes.c_uint64(at),
                array,
                len(part),
            ).result()


def open_run(client: Client, name: str, space: str, seed: int, steps: int, members: int) -> Run:
    """See Client.open_run."""
    settings = _native.RunSettings(text(name), text(space), seed, steps, members)
    member = client._submit(_result_member, lib.sw_submit_run_open, byref(settings)).result()
    return Run(client, name, member, space, steps)


def _result_member(native: ctypes.c_void_p) -> int:
    member, err = ctypes.c_uint32(), _native.Error()
    errors.check(lib.sw_ticket_run_open(native, byref(member), None, byref(err)), err)
    return member.value


def _result_report(native: ctypes.c_void_p) -> _native.ReportResult:
    result, err = _native.ReportResult(), _native.Error()
    errors.check(lib.sw_ticket_run_report(native, byref(result), byref(err)), err)
    return result


def _of_native(widths: _native.Bitlengths) -> Bitlengths:
    return Bitlengths(
        widths.policy.decode(),
        _info.KINDS[widths.kind] if widths.kind < len(_info.KINDS) else str(widths.kind),
        widths.mantissa_bits,
        widths.exponent_bits,
        widths.effective_step,
        widths.format.decode(),
    )


def _to_native(learned: Learned) -> _native.Bitlengths:
    policy, tensor = learned.policy.encode(), learned.tensor.encode()
    if len(policy) >= _native.SPACE_CAP or len(tensor) >= _native.NAME_CAP:
        raise ValueError(f"a policy has at most 64 bytes and a tensor's name 1024; {learned.tensor[:80]!r} has more")
    return _native.Bitlengths(
        policy, tensor, kind_number(learned.kind), learned.mantissa_bits, learned.exponent_bits, 0, b""
    )
