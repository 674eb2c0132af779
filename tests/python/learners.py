"""BitChop and BitWave as policies/POLICIES.md words them, by another hand than the C code's. Makes the recorded traces
and checks them:

    learners.py --make FILE     writes traces of losses, and the bitlengths that they lead to
    learners.py --check FILE    runs the losses of a file again and compares

A trace: "learner KIND FIELD=VALUE ... steps=N", then lines of STEP LOSS RATE [FULL CURRENT REDUCED] -> MANTISSA EXPONENT
RESETS. Numbers are written so that they read back as the same doubles."""
import math
import random
import sys

FULL = (23, 8)


class Learner:
    def __init__(self, kind, steps, **params):
        self.kind, self.steps, self.p = kind, steps, params
        self.rate, self.warming = None, True
        self.frozen, self.held_until, self.resets = False, None, 0
        self.widths = self.start()
        self.forget()

    def start(self):
        return [self.p["mantissa_start"], self.p["exponent_start"] if self.kind == "bitwave" else 0]

    def full(self):
        return [FULL[0], FULL[1] if self.kind == "bitwave" else 0]

    def forget(self):
        self.means, self.losses, self.bad, self.turn, self.trial = [], [], 0, 0, None

    def restore(self, step):
        self.forget()
        self.resets += 1
        self.widths = self.full()
        self.held_until = None if self.frozen else step + self.p["hold_steps"]

    def rate_changed(self, rate):
        before, self.rate = self.rate, rate
        if before is None:
            return False
        rose = not self.warming and rate >= 2.5 * before
        self.warming = self.warming and rate > before
        return rose or rate <= 0.55 * before

    def floor(self, which):
        return self.p[("mantissa_floor", "exponent_floor")[which]]

    def candidate(self):
        for which in (self.turn, 1 - self.turn):
            if self.widths[which] > self.floor(which):
                return which
        return None

    def undo(self):
        if self.trial is not None:
            self.widths[self.trial] += 1
            self.turn = 1 - self.trial
            self.trial = None

    def warm(self, step):
        return self.steps == 0 or step >= self.p.get("warmup", 0) * self.steps

    def take(self, step, loss, rate, pair=None):
        if not math.isfinite(loss):
            self.restore(step)
            return
        changed = self.rate_changed(rate)
        if not self.frozen and self.steps and step >= self.p["freeze_at"] * self.steps:
            self.undo()
            self.frozen, self.held_until = True, None
        if self.frozen:
            return
        if self.held_until is not None and step >= self.held_until:
            self.held_until, self.losses, self.widths = None, [], self.start()
        if changed:
            self.restore(step)
        due = self.p.get("paired") and self.held_until is None and step % self.p["period_steps"] == 0
        if pair and due and self.warm(step):
            self.compare(*pair)
        self.losses.append(loss)
        if len(self.losses) == self.p["period_steps"]:
            mean, self.losses = sum(self.losses) / len(self.losses), []
            self.settle(step, mean)

    def compare(self, full, current, reduced):
        allowed = self.p["tolerance"] * abs(full)
        if current - full > 2 * allowed:
            order = [w for w in (self.turn, 1 - self.turn) if self.widths[w] < self.full()[w]]
            if order:
                self.widths[order[0]] += 1
        elif reduced - full <= allowed and self.candidate() is not None:
            self.widths[self.candidate()] -= 1
        self.turn = 1 - self.turn

    def statistics(self):
        """Average, deviation and least average of the periods so far."""
        average, deviation = self.means[0], 0.0
        best = average
        for i, mean in enumerate(self.means[1:]):
            distance = mean - average
            deviation = abs(distance) if i == 0 else deviation + self.p["alpha"] * (abs(distance) - deviation)
            average += self.p["alpha"] * distance
            best = min(best, average)
        return average, deviation, best

    def settle(self, step, mean):
        judged = len(self.means) >= 2
        average, deviation, _ = self.statistics() if judged else (0, 0, 0)
        self.means.append(mean)
        after, _, best = self.statistics()
        paired = self.p.get("paired", False)
        above = judged and not paired and mean > average + self.p.get("band", 1) * deviation
        if self.kind == "bitwave":
            self.bad = self.bad + 1 if above else 0
        if (best > 0 and after > 1.5 * best) or self.bad == 3:
            self.restore(step)
        elif self.held_until is not None or paired:
            return
        elif self.kind == "bitchop":
            if judged and mean < average - deviation and self.widths[0] > self.floor(0):
                self.widths[0] -= 1
            elif judged and mean > average + deviation and self.widths[0] < FULL[0]:
                self.widths[0] += 1
        else:
            if above:
                self.undo()
            elif self.trial is not None:
                self.turn, self.trial = 1 - self.trial, None
            if judged and not above and self.warm(step) and self.candidate() is not None:
                self.trial = self.candidate()
                self.widths[self.trial] -= 1


BITCHOP = dict(alpha=0.1, period_steps=1, mantissa_start=7, mantissa_floor=1, hold_steps=20, freeze_at=0.85)
BITWAVE = dict(alpha=0.1, period_steps=10, band=0.5, tolerance=0.03, mantissa_start=7, mantissa_floor=2, exponent_start=8,
               exponent_floor=3, hold_steps=20, warmup=0.05, freeze_at=0.85, paired=0)
RUNS = [
    ("bitchop", 400, BITCHOP, "cosine", 1),
    ("bitchop", 300, dict(BITCHOP, period_steps=5, alpha=0.3), "stairs", 2),
    ("bitwave", 600, BITWAVE, "cosine", 3),
    ("bitwave", 600, dict(BITWAVE, band=0.05, period_steps=3), "stairs", 4),
    ("bitwave", 0, dict(BITWAVE, period_steps=2), "cosine", 5),
    ("bitwave", 600, dict(BITWAVE, paired=1, period_steps=20, mantissa_floor=1), "cosine", 6),
    ("bitwave", 500, dict(BITWAVE, paired=1, period_steps=5, hold_steps=0), "stairs", 7),
]


def losses(learner, steps, schedule, seed):
    """What a training run reports: a falling, noisy loss that suffers from too few bits and has its accidents."""
    rng = random.Random(seed)
    for step in range(steps):
        part = step / steps
        if schedule == "cosine":
            rate = 0.1 * min(1, (step + 1) / (0.05 * steps)) * 0.5 * (1 + math.cos(math.pi * part))
        else:
            rate = 0.1 if part < 0.5 else 0.01
        hurt = 0.2 * 2.0 ** -learner.widths[0]
        clean = 0.15 + 2.2 * math.exp(-8 * part)
        loss = clean + hurt + 0.05 * rng.gauss(0, 1)
        if step == int(0.7 * steps):
            loss = float("nan")
        if schedule == "stairs" and 0.3 <= part < 0.34:
            loss *= 4
        pair = None
        if learner.p.get("paired") and step % learner.p["period_steps"] == 0:
            cost = lambda m: clean * (1 + 0.1 * 2.0 ** -m) * (1 + 0.005 * rng.random())
            pair = (clean, cost(learner.widths[0]), cost(learner.widths[0] - 1))
        yield step, round(loss, 4), round(rate, 6), pair and tuple(round(x, 4) for x in pair)


def head(kind, steps, params):
    return f"learner {kind} " + " ".join(f"{k}={v!r}" for k, v in params.items()) + f" steps={steps}"


def line(step, loss, rate, pair, learner):
    numbers = [repr(x) for x in (loss, rate, *(pair or ()))]
    return f"{step} {' '.join(numbers)} -> {learner.widths[0]} {learner.widths[1]} {learner.resets}"


def make(path):
    with open(path, "w") as out:
        out.write("# Made by tests/python/learners.py --make. See there.\n")
        for kind, steps, params, schedule, seed in RUNS:
            learner = Learner(kind, steps, **params)
            print(head(kind, steps, params), file=out)
            for step, loss, rate, pair in losses(learner, steps or 300, schedule, seed):
                learner.take(step, loss, rate, pair)
                print(line(step, loss, rate, pair, learner), file=out)


def check(path):
    learner, compared = None, 0
    for number, text in enumerate(open(path), 1):
        words = text.split()
        if words[0] == "learner":
            params = {k: float(v) if "." in v else int(v) for k, v in (w.split("=") for w in words[2:])}
            learner = Learner(words[1], params.pop("steps"), **params)
        elif words[0] != "#":
            values = [float(w) for w in words[1:words.index("->")]]
            learner.take(int(words[0]), values[0], values[1], tuple(values[2:]) or None)
            if [*learner.widths, learner.resets] != [int(w) for w in words[-3:]]:
                sys.exit(f"{path}:{number}: {learner.widths} {learner.resets} instead of {words[-3:]}")
            compared += 1
    print(f"{compared} steps agree")
    return compared == 0


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("--make", "--check"):
        sys.exit(__doc__)
    sys.exit(make(sys.argv[2]) if sys.argv[1] == "--make" else check(sys.argv[2]))
