"""How a run's bitlengths are found: a learner, its parameters, and names for the usual ones."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace

from ._kernels import NEAREST, TRUNCATE
from .policy import Policy

LEARNERS = ("fixed", "quantum", "bitchop", "bitwave", "bitpruning")

# Container formats that are not made of mantissa and exponent bits alone.
_FORMATS = re.compile(r"(bm[4-8]|mxfp[468]-e\dm\d|mxint8|nvfp4|int\d+(-c)?|group\d|e\dm\d(-c)?|fp8uq-e\dm\d)(-rne)?")
_MX = {"mxfp8": "mxfp8-e4m3", "mxfp6": "mxfp6-e2m3", "mxfp4": "mxfp4-e2m1"}


@dataclass(frozen=True)
class Learning:
    """A learner and its parameters, which are named as in a policy's text. Shares are of the run's steps.

    learner      fixed       the widths of `mantissa_start` and `exponent_start`, or the format, all along
                 quantum     Quantum Mantissa, and Quantum Exponent if `exponent`: a real-valued n for each tensor
                 bitchop     mantissa bits for the whole network, by the loss
                 bitwave     mantissa and exponent bits for the whole network, by the loss
                 bitpruning  integers of a real-valued number of bits for each tensor
    format       fixed only: a container format that is no matter of two widths, as "bm6" or "mxfp8-e4m3"
    saved_only   the forward pass has full precision, and only what is saved for the backward pass is reduced
    gradients    fixed formats: what the backward pass hands on is quantised too, to this format
    rounding     0 truncation, 1 to nearest even
    gamma        quantum, bitpruning: the loss that a bit of mean bitlength may cost
    optimizer    of n: "sgd", or "adam"
    rate         of that optimizer; 0 makes SGD fall by five bits in a share `fall` of the run, and Adam's 0.02
    sample_every quantum, bitpruning: the gradient of n is of every so many-th sample
    policy       bitchop, bitwave in a shared run: the name of the daemon's policy
    others       as in a policy's text
    """

    learner: str
    exponent: bool = False
    format: str | None = None
    saved_only: bool = False
    gradients: str | None = None
    rounding: int = TRUNCATE
    gamma: float = 0.1
    optimizer: str = "sgd"
    rate: float = 0.0
    fall: float = 0.1
    mantissa_start: float = 7.0
    mantissa_floor: float = 1.0
    exponent_start: float = 8.0
    exponent_floor: float = 3.0
    max_step_bits: float = 0.1
    freeze_at: float = 0.85
    alpha: float = 0.1
    band: float = 0.5
    tolerance: float = 0.03
    warmup: float = 0.05
    paired: bool = False
    policy: str = ""
    period_steps: int = 10
    hold_steps: int = 20
    sample_every: int = 8

    def __post_init__(self) -> None:
        if not (0 <= self.mantissa_start <= 23 and 1 <= self.exponent_start <= 8):
            raise ValueError("no type has more than 23 mantissa bits or 8 exponent bits, or no exponent bit")
        if self.learner not in LEARNERS:
            raise ValueError(f"unknown learner {self.learner!r}: there are {', '.join(LEARNERS)}")
        if not (self.gamma >= 0 and self.rate >= 0 and self.max_step_bits > 0):
            raise ValueError("gamma and rate must not be negative, and max_step_bits must be positive")
        if self.sample_every < 1 or self.period_steps < 1:
            raise ValueError("sample_every and period_steps are 1 at least")
        if not (0 < self.freeze_at <= 1 and 0 < self.fall <= 1):
            raise ValueError("freeze_at and fall are shares of the run: above 0, at most 1")
        if self.optimizer not in ("sgd", "adam"):
            raise ValueError(f"unknown optimizer {self.optimizer!r}: sgd or adam")
        if self.saved_only and self.learner != "fixed":
            raise ValueError("where only what is saved is reduced, the loss says nothing of bitlengths: use fixed ones")

    @property
    def format_mantissa(self) -> int:
        """Mantissa bits of the format, or those of its integers."""
        name = self.format or ""
        if match := re.match(r"bm(\d)", name):
            return {"8": 5, "6": 3, "5": 2, "4": 1}[match[1]]
        match = re.search(r"m(\d+)", name.removeprefix("mx")) or re.search(r"(\d+)", name)
        return int(match[1]) if match else 0

    def but(self, **changes: object) -> Learning:
        return replace(self, **changes)


_SFP = re.compile(r"sfp-[01]-([1-8])-(\d+)(-rne)?")
_RENAMED = {"start": "mantissa_start", "floor": "mantissa_floor"}


def learning_from(policy: Learning | Policy) -> Learning:
    """The learning of a policy as the daemon knows it. Where widths move, values are rounded to nearest."""
    if isinstance(policy, Learning):
        return policy
    learner = policy.learner
    given = {_RENAMED.get(f.name, f.name): getattr(learner, f.name) for f in fields(learner)}
    given = {name: value for name, value in given.items() if value is not None}
    base = learning_of({"quantum": "qm", "fixed": "bf16"}.get(learner.kind, learner.kind))
    assert base is not None
    if learner.kind != "fixed":
        return replace(base, policy=policy.name, **given)
    if match := _SFP.fullmatch(policy.format):
        widths = {"exponent_start": int(match[1]), "mantissa_start": int(match[2])}
        return replace(base, rounding=NEAREST if match[3] else TRUNCATE, **widths)
    return Learning("fixed", format=policy.format)


def learning_of(name: str) -> Learning | None:
    """The learning of this name. None: full precision.

    fp32, lossless           nothing is quantised
    bf16                     8 exponent and 7 mantissa bits
    m2e3, m2e3-rne           constant bitlengths: two mantissa bits, three exponent bits
    qm, qm+qe                Quantum Mantissa; with Quantum Exponent
    bitchop, bitwave, bitpruning
    bitwave-paired           BitWave by paired probes
    bm8, bm6, bm5, bm4       Block Minifloat: forward, backward and gradients
    int4, e4m3 ...           any container format, in the forward pass
    saved-m1e4, saved-group4 only the saved copy is reduced: to nearest, or to that format
    mxfp8, group2 ...        the same for the formats that are made for it
    """
    if name in ("fp32", "lossless"):
        return None
    named = {
        "bf16": Learning("fixed", mantissa_start=7, exponent_start=8, rounding=NEAREST),
        "qm": Learning("quantum"),
        "qm+qe": Learning("quantum", exponent=True, fall=0.05),
        "bitchop": Learning("bitchop", rounding=NEAREST, period_steps=1),
        "bitwave": Learning("bitwave", rounding=NEAREST, mantissa_floor=2),
        "bitwave-paired": Learning("bitwave", rounding=NEAREST, paired=True, period_steps=20),
        "bitpruning": Learning("bitpruning", gamma=0.02, rate=10, mantissa_start=8),
    }
    if name in named:
        return named[name]
    saved = name.startswith("saved-")
    bare = name.removeprefix("saved-")
    if bare in _MX or re.fullmatch(r"group[248]|mxint8|nvfp4", bare):
        return Learning("fixed", format=_MX.get(bare, bare), saved_only=True)
    if match := re.fullmatch(r"m(\d+)e(\d+)(-rne)?", bare):
        rounding = NEAREST if saved or match[3] else TRUNCATE
        widths = {"mantissa_start": int(match[1]), "exponent_start": int(match[2])}
        return Learning("fixed", saved_only=saved, rounding=rounding, **widths)
    if _FORMATS.fullmatch(bare):
        gradients = f"{bare}-b" if bare.startswith("bm") and not saved else None
        return Learning("fixed", format=bare, saved_only=saved, gradients=gradients)
    raise ValueError(f"unknown policy {name!r}")
