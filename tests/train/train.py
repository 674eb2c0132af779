"""One training run: MODEL under POLICY. run.sh starts a daemon and calls this; see its --help."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
import warnings
from pathlib import Path

import torch
from torch.nn import functional

import spillway
import spillway.torch
from data import Pictures, Skip, Text
from networks import GPT, ResNet, ViT
from progress import Progress

WEIGHED = (torch.nn.modules.conv._ConvNd, torch.nn.Linear)

# Smaller tensors stay in the process: a request would cost more than they are.
MIN_BYTES = 8192


class Job:
    """What is trained on what, for how long."""

    def __init__(self, model: str, quick: bool) -> None:
        self.model = model
        self.batch = 16 if model == "gpt" else 64
        self.rate = {"resnet": 0.1, "vit": 2e-3, "gpt": 3e-3}[model]
        if model == "gpt":
            self.data = Text(1280 if quick else 4000, tests=100 if quick else 500)
            self.epochs = 2 if quick else 3
        else:
            self.data = Pictures(4800 if quick else 12_000, 2000 if quick else 10_000)
            self.epochs = 3 if quick else 10
        self.steps = self.epochs * self.data.steps(self.batch)

    def network(self) -> torch.nn.Module:
        return {"resnet": ResNet, "vit": ViT, "gpt": lambda: GPT(self.data.outputs)}[self.model]()

    def optimizer(self, network: torch.nn.Module) -> torch.optim.Optimizer:
        if self.model == "resnet":
            return torch.optim.SGD(network.parameters(), self.rate, momentum=0.9, nesterov=True, weight_decay=5e-4)
        return torch.optim.AdamW(network.parameters(), self.rate, weight_decay=0.05)

    def rate_at(self, step: int) -> float:
        """Warm-up over a twentieth, then a cosine to 0."""
        falling = max(0.0, step / self.steps - 0.05) / 0.95
        return self.rate * min((step + 1) / (0.05 * self.steps), 0.5 * (1 + math.cos(math.pi * falling)))


def loss_of(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(outputs.flatten(0, -2), labels.flatten())


# What differs from the defaults in these short runs: from fewer bits there is less to fall, and with an exponent bit more
# than the least that trains the networks lose less.
_SETTINGS = {"qm+qe": {"gamma": 0.12, "mantissa_start": 4, "exponent_start": 5, "exponent_floor": 4}}


class Training:
    """A run's state: everything that a checkpoint holds."""

    def __init__(self, job: Job, policy: str, seed: int, place: Path, changes: dict) -> None:
        torch.manual_seed(seed)
        self.job, self.place = job, place
        self.network = job.network()
        self.optimizer = job.optimizer(self.network)
        self.run = spillway.torch.Run(f"{job.model}-{policy}-{seed}", seed=seed, steps=job.steps)
        learning = spillway.torch.learning_of(policy)
        if learning is not None:
            learning = learning.but(**_SETTINGS.get(policy, {}) | changes)
        self.quantized = spillway.torch.quantize(self.network, learning, self.run) if learning else None
        self.generator = torch.Generator().manual_seed(seed)
        self.epoch, self.restored, self.bits, self.totals = 0, 0, [], {"raw": 0, "stored": 0, "plain": 0.0, "values": 0}
        self.good = None

    def offload(self, client: spillway.Client):
        options = {"min_bytes": MIN_BYTES}
        if self.quantized:
            return self.quantized.offload(client, **options)
        return spillway.torch.offload(client, format="lossless", **options)

    def note_good(self) -> None:
        """Weights to go back to if the loss is no number."""
        self.good = {name: value.clone() for name, value in self.network.state_dict().items()}

    def back_to_good(self) -> None:
        self.restored += 1
        self.network.load_state_dict(self.good)
        for state in self.optimizer.state.values():
            for value in state.values():
                if isinstance(value, torch.Tensor) and value.dim():
                    value.zero_()

    def save(self) -> None:
        state = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "run": self.run.state_dict(),
            "generator": self.generator.get_state(),
            "epoch": self.epoch,
            "restored": self.restored,
            "bits": self.bits,
            "totals": self.totals,
        }
        # Whole or not at all.
        torch.save(state, self.place / "checkpoint.new")
        os.replace(self.place / "checkpoint.new", self.place / "checkpoint.pt")

    def load(self) -> bool:
        if not (self.place / "checkpoint.pt").is_file():
            return False
        state = torch.load(self.place / "checkpoint.pt")
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.run.load_state_dict(state["run"])
        self.generator.set_state(state["generator"])
        self.epoch, self.restored = state["epoch"], state["restored"]
        self.bits, self.totals = state["bits"], state["totals"]
        return True


def evaluate(training: Training) -> tuple[float, float]:
    """Accuracy in percent and mean loss over the tests, with the quantizers on."""
    right = count = 0
    total = 0.0
    training.network.eval()
    with torch.no_grad():
        for inputs, labels in training.job.data.tests():
            outputs = training.network(inputs)
            total += float(loss_of(outputs, labels)) * labels.numel()
            right += int((outputs.argmax(-1) == labels).sum())
            count += labels.numel()
    training.network.train()
    return 100 * right / count, total / count


def probe_of(training: Training):
    inputs, labels = training.job.data.probe()
    return lambda: loss_of(training.network(inputs), labels)


def train_epoch(training: Training, progress: Progress) -> float:
    job, network, optimizer = training.job, training.network, training.optimizer
    probe, total = probe_of(training), 0.0
    network.train()
    training.note_good()
    for inputs, labels in job.data.batches(job.batch, training.generator):
        rate = job.rate_at(training.run.step)
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = loss_of(network(inputs), labels)
        loss.backward()
        if math.isfinite(float(loss)):
            optimizer.step()
        optimizer.zero_grad()
        total += float(loss)
        if training.run.report(loss, rate, probe).restored:
            training.back_to_good()
        if training.quantized and training.quantized.points and training.run.step % 10 == 0:
            shown = [bits for bits in training.quantized.bits() if not bits.lossless]
            training.bits.append((training.run.step, {bits.name: (bits.mantissa, bits.exponent) for bits in shown}))
        progress.step(training.run.step, float(loss))
    return total / job.data.steps(job.batch)


def counts(training: Training, stats: object) -> dict:
    """What was spilled so far in this process: FP32 bytes of weights and activations, and bytes that all takes."""
    ours = {label: landed for label, landed in getattr(stats, "labels", {}).items() if label != "other"}
    tensors = [landed for label, landed in ours.items() if label != "learning"]
    quantized = training.quantized
    return {
        "raw": sum(landed.raw_bytes for landed in tensors),
        "stored": sum(landed.stored_bytes for landed in ours.values()),
        "plain": quantized.account.bits if quantized else 0.0,
        "values": quantized.account.values if quantized else 0,
    }


def ratios(training: Training, part: dict) -> dict:
    stored = part["raw"] / part["stored"] if part["stored"] else 1.0
    plain = 32 * part["values"] / part["plain"] if part["plain"] else 1.0
    # Formats of codes and scales have no exponents that could be coded on top.
    codes = training.quantized is not None and training.quantized.learning.format is not None
    return {"footprint": stored, "footprint_plain": stored if codes else plain}


def epochs(training: Training, client: spillway.Client | None) -> dict:
    """Trains to the end; returns the last epoch's line."""
    lines = training.place / "epochs.jsonl"
    kept = lines.read_text().splitlines()[: training.epoch] if lines.is_file() else []
    lines.write_text("".join(line + "\n" for line in kept))
    line = json.loads(kept[-1]) if kept else {}
    progress = Progress(training.run.name, training.job.steps)
    offload = training.offload(client) if client else None
    before, begin = counts(training, offload.stats if offload else None), time.monotonic()
    while training.epoch < training.job.epochs:
        if offload:
            with offload:
                loss = train_epoch(training, progress)
        else:
            loss = train_epoch(training, progress)
        accuracy, test_loss = evaluate(training)
        after = counts(training, offload.stats if offload else None)
        part = {key: after[key] - before[key] for key in after}
        before = after
        for key, value in part.items():
            training.totals[key] += value
        training.epoch += 1
        mantissa, exponent = training.quantized.mean_bits() if training.quantized else (23.0, 8.0)
        line = {
            "epoch": training.epoch,
            "loss": loss,
            "test_loss": test_loss,
            "accuracy": accuracy,
            "mantissa_bits": mantissa,
            "exponent_bits": exponent,
            "cumulative": ratios(training, training.totals),
            **ratios(training, part),
            "frozen": bool(training.quantized and training.quantized.frozen),
            "restored": training.restored,
            "failures": offload.stats.failures if offload else 0,
            "kept_bytes": offload.stats.kept_bytes if offload else 0,
            "seconds": round(time.monotonic() - begin, 1),
        }
        with lines.open("a") as file:
            file.write(json.dumps(line) + "\n")
        training.save()
    progress.end()
    return line


def result_of(training: Training, line: dict) -> dict:
    total = ratios(training, training.totals)
    return {
        "footprint_plain": total["footprint_plain"],
        "footprint": total["footprint"],
        "footprint_plain_final": line["footprint_plain"],
        "footprint_final": line["footprint"],
        "mantissa_bits_final": line["mantissa_bits"],
        "accuracy": line["accuracy"],
        "test_loss": line["test_loss"],
        "restored": training.restored,
    }


def place_of(arguments: argparse.Namespace, policy: str) -> Path:
    return arguments.out / arguments.model / policy / f"{'quick' if arguments.quick else 'seed'}{arguments.seed}"


def train(arguments: argparse.Namespace, policy: str) -> dict:
    """The result of a run: from its file if it was run before, from where it stopped if it was begun."""
    place = place_of(arguments, policy)
    place.mkdir(parents=True, exist_ok=True)
    finished = place / "result.json"
    if finished.is_file():
        return json.loads(finished.read_text())
    changes = json.loads(arguments.set) if policy == arguments.policy else {}
    training = Training(Job(arguments.model, arguments.quick), policy, arguments.seed, place, changes)
    if training.load():
        print(f"going on after epoch {training.epoch}", file=sys.stderr)
    if policy == "fp32":
        line = epochs(training, None)
    else:
        with spillway.Client(arguments.endpoint) as client:
            line = epochs(training, client)
    result = result_of(training, line)
    finished.write_text(json.dumps(result, indent=1))
    if training.bits:
        from plot import plot_run

        plot_run(training.bits, place)
    return result


def quantise_trained(arguments: argparse.Namespace, format: str) -> dict:
    """Post-training quantisation: the FP32 run's network, evaluated with weights and activations in a format."""
    training = Training(Job(arguments.model, arguments.quick), format, arguments.seed, place_of(arguments, "fp32"), {})
    training.network.load_state_dict(torch.load(training.place / "checkpoint.pt")["network"])
    weights = [module.weight.detach() for module in training.network.modules() if isinstance(module, WEIGHED)]
    raw = sum(weight.numel() * weight.element_size() for weight in weights)
    stored = sum(spillway.torch.stored_bytes(weight, format) for weight in weights)
    # Points are made in training: a pass that is not looked at makes them, without moving the norms' statistics.
    for module in training.network.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.momentum = 0.0
    inputs, _ = training.job.data.probe()
    training.network.train()(inputs)
    accuracy, loss = evaluate(training)
    mantissa, _ = training.quantized.mean_bits()
    same = dict.fromkeys(("footprint", "footprint_plain", "footprint_final", "footprint_plain_final"), raw / stored)
    return {**same, "mantissa_bits_final": mantissa, "accuracy": accuracy, "test_loss": loss, "restored": 0}


UNITS = {
    "footprint_plain": ("x", "FP32 bits / bits by the cost function, without exponent coding, whole run"),
    "footprint": ("x", "FP32 bytes spilled / bytes stored, whole run"),
    "footprint_plain_final": ("x", "the same, last epoch, without exponent coding"),
    "footprint_final": ("x", "the same, last epoch, stored"),
    "mantissa_bits_final": ("bits", "mean over all values"),
}


def show(arguments: argparse.Namespace, result: dict, fp32: dict) -> None:
    name = f"train/{arguments.model}/{arguments.policy}"
    for what, (unit, note) in UNITS.items():
        print(f"{name}/{what}\t{result[what]:.3f}\t{unit}\t{note}")
    delta, reference = result["accuracy"] - fp32["accuracy"], fp32["accuracy"]
    print(f"{name}/accuracy_delta\t{delta:+.2f}\tpoints\tagainst FP32 of seed {arguments.seed}: {reference:.2f}")
    if arguments.model == "gpt":
        nats = result["test_loss"] - fp32["test_loss"]
        print(f"{name}/loss_delta\t{nats:+.4f}\tnats\tagainst FP32 of seed {arguments.seed}: {fp32['test_loss']:.4f}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="run.sh")
    parser.add_argument("model", choices=("resnet", "vit", "gpt"))
    parser.add_argument("policy")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--endpoint")
    parser.add_argument("--set", default="{}")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", "The given NumPy array is not writable")
    try:
        fp32 = train(arguments, "fp32")
        ptq = arguments.policy.removeprefix("ptq-")
        trained = ptq == arguments.policy
        show(arguments, train(arguments, arguments.policy) if trained else quantise_trained(arguments, ptq), fp32)
    except Skip as reason:
        print(f"skipped: {reason}", file=sys.stderr)
        return 77
    return 0


if __name__ == "__main__":
    sys.exit(main())
