"""Policies: which tensors are stored in which format, and which learner moves its widths.

    from spillway.policy import BitChop, Policy, PolicySet

    client.push_policies(PolicySet([
        Policy("norms", "lossless", name_glob="*norm*"),
        Policy("activations", "sfp-1-8-7-rne", kinds=["activation"], dtypes=["f32"], learner=BitChop()),
    ]))

A set is ordered: the first policy that matches a tensor counts, and behind the last one everything is lossless. What
the parameters of learners mean stands in policies/POLICIES.md; None leaves one at its default.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar

__all__ = ["BitChop", "BitPruning", "BitWave", "Fixed", "Learner", "Policy", "PolicySet", "Quantum", "parse"]


@dataclass(frozen=True)
class Learner:
    """Moves the widths of a policy's format, or not."""

    kind: ClassVar[str] = ""


@dataclass(frozen=True)
class Fixed(Learner):
    """The format's own widths."""

    kind: ClassVar[str] = "fixed"


@dataclass(frozen=True)
class Quantum(Learner):
    """Quantum Mantissa, and Quantum Exponent with `exponent`: n of each tensor lives in the trainer."""

    kind: ClassVar[str] = "quantum"
    exponent: bool | None = None
    gamma: float | None = None
    mantissa_start: float | None = None
    mantissa_floor: float | None = None
    exponent_start: float | None = None
    exponent_floor: float | None = None
    max_step_bits: float | None = None
    sample_every: int | None = None
    freeze_at: float | None = None


@dataclass(frozen=True)
class BitChop(Learner):
    """Mantissa bits of the whole policy, by the loss against its moving average."""

    kind: ClassVar[str] = "bitchop"
    alpha: float | None = None
    period_steps: int | None = None
    mantissa_start: int | None = None
    mantissa_floor: int | None = None
    hold_steps: int | None = None
    freeze_at: float | None = None


@dataclass(frozen=True)
class BitWave(Learner):
    """Mantissa and exponent bits of the whole policy, in turn, by probes."""

    kind: ClassVar[str] = "bitwave"
    paired: bool | None = None
    alpha: float | None = None
    period_steps: int | None = None
    band: float | None = None
    tolerance: float | None = None
    mantissa_start: int | None = None
    mantissa_floor: int | None = None
    exponent_start: int | None = None
    exponent_floor: int | None = None
    hold_steps: int | None = None
    warmup: float | None = None
    freeze_at: float | None = None


@dataclass(frozen=True)
class BitPruning(Learner):
    """Bits of an integer container: n of each tensor lives in the trainer."""

    kind: ClassVar[str] = "bitpruning"
    gamma: float | None = None
    start: float | None = None
    floor: float | None = None
    max_step_bits: float | None = None
    freeze_at: float | None = None


LEARNERS: dict[str, type[Learner]] = {of.kind: of for of in (Fixed, Quantum, BitChop, BitWave, BitPruning)}


@dataclass(frozen=True)
class Policy:
    """One rule. Of what it matches, whatever is left out matches everything.

    name       unique in its set: 1 to 64 of A-Z a-z 0-9 . _ -
    format     such as "sfp-1-4-2"; a learner that moves widths replaces those in it
    name_glob  over tensor names, with * ? and [a-z]
    kinds      of "activation", "weight", "gradient", "optimizer", "other"
    dtypes     such as "f32" or "bf16"
    least_bytes, most_bytes  the sizes that it is for, raw, both ends included
    min_bytes  smaller tensors that match are stored losslessly
    """

    name: str
    format: str
    name_glob: str = ""
    kinds: Sequence[str] = ()
    dtypes: Sequence[str] = ()
    least_bytes: int = 0
    most_bytes: int = 0
    min_bytes: int = 0
    learner: Learner = field(default_factory=Fixed)

    def _lines(self) -> Iterator[str]:
        yield f"  - name: {_quoted(self.name)}"
        match = list(self._match())
        if match:
            yield "    match:"
            yield from match
        yield f"    format: {_quoted(self.format)}"
        if self.min_bytes:
            yield f"    min_bytes: {self.min_bytes}"
        if not isinstance(self.learner, Fixed):
            yield "    learner:"
            yield f"      kind: {self.learner.kind}"
            for parameter in fields(self.learner):
                value = getattr(self.learner, parameter.name)
                if value is not None:
                    yield f"      {parameter.name}: {_scalar(value)}"

    def _match(self) -> Iterator[str]:
        if self.name_glob:
            yield f"      name: {_quoted(self.name_glob)}"
        for field_name, values in (("kind", self.kinds), ("dtype", self.dtypes)):
            if values:
                yield f"      {field_name}: [{', '.join(map(_quoted, values))}]"
        for field_name, value in (("min_bytes", self.least_bytes), ("max_bytes", self.most_bytes)):
            if value:
                yield f"      {field_name}: {value}"


@dataclass(frozen=True)
class PolicySet:
    """The rules of one space. `version` is what the daemon gave it; pushing does not look at it."""

    policies: Sequence[Policy] = ()
    space: str | None = None
    version: int = 0

    def in_space(self, space: str | None) -> PolicySet:
        """The same set for this space, if it names none itself."""
        return replace(self, space=space) if self.space is None and space else self

    def to_text(self) -> str:
        """As a person writes it in a file: YAML."""
        lines = [f"space: {_quoted(self.space or 'default')}"]
        if self.version:
            lines.append(f"version: {self.version}")
        lines.append("policies:" if self.policies else "policies: []")
        for policy in self.policies:
            lines.extend(policy._lines())
        return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """Quoted, so that no text means something else to YAML."""
    if "\n" in text or "\0" in text:
        raise ValueError(f"{text!r} does not fit into a line")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return repr(value)


# Reading what the library prints: one form of many, line by line. Sets that people write are read by the library.

_LINE = re.compile(r"^( *)(- )?([a-z_]+):(?: (.*))?$")
_SUFFIXES = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def parse(text: str) -> PolicySet:
    """The set of a text in the form that the library prints, as Client.policies does."""
    top: dict[str, Any] = {}
    rules: list[dict[str, Any]] = []
    section = top
    for line in text.splitlines():
        found = _LINE.match(line)
        if not found:
            raise ValueError(f"not a line of a printed set of policies: {line!r}")
        indent, item, key, value = len(found[1]), found[2], found[3], found[4]
        if item:
            rules.append({})
        if indent == 0:
            section = top
        elif indent <= 4:
            section = rules[-1]
        if value is None:
            section = section.setdefault(key, {}) if indent else top
        else:
            section[key] = value
    return PolicySet([_policy(rule) for rule in rules], _text(top["space"]), int(top.get("version", "0")))


def _policy(rule: dict[str, Any]) -> Policy:
    match = rule.get("match", {})
    return Policy(
        _text(rule["name"]),
        _text(rule["format"]),
        _text(match.get("name", "")),
        _words(match.get("kind", "[]")),
        _words(match.get("dtype", "[]")),
        _size(match.get("min_bytes", "0")),
        _size(match.get("max_bytes", "0")),
        _size(rule.get("min_bytes", "0")),
        _learner(rule.get("learner", {"kind": "fixed"})),
    )


def _learner(section: dict[str, str]) -> Learner:
    of = LEARNERS[section["kind"]]
    return of(**{name: _number(value) for name, value in section.items() if name != "kind"})


def _text(value: str) -> str:
    if not value.startswith('"'):
        return value
    return re.sub(r"\\(.)", r"\1", value[1:-1])


def _words(value: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in value[1:-1].split(",") if word.strip())


def _size(value: str) -> int:
    return int(value[:-1]) * _SUFFIXES[value[-1]] if value[-1] in _SUFFIXES else int(value)


def _number(value: str) -> bool | int | float:
    if value in ("yes", "no"):
        return value == "yes"
    return int(value) if re.fullmatch(r"-?\d+", value) else float(value)
