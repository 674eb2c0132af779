#!/usr/bin/python3
"""Federated averaging through spillwayd's Exchange: how many bytes it takes to be as good as with FP32.

Eight clients train a small network on parts of Fashion-MNIST, a local epoch or two a round, and exchange weights through a
real daemon: FP8 with unbiased rounding (fp8), to nearest (fp8-biased), or as they are (fp32). All bytes of containers
count, both ways. Evaluated is the daemon's FP32 master, which nobody needs for training, so that its bytes do not count.

A run writes a line of JSON a round, and goes on where it was interrupted. `report` reads the lines of all runs.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import control_pb2 as pb
import grpc
import numpy as np
import spillway
import torch
from torch import nn
from torch.nn import functional

from data import Pictures

CLIENTS = 8
MODES = {"fp32": "raw", "fp8": "fp8uq-e4m3", "fp8-biased": "fp8uq-e4m3-rne"}
SPLITS = ("iid", "dirichlet")
PART_BYTES = 512 * 1024
NEAR_POINTS = 0.3


def network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )


def shares(labels: torch.Tensor, split: str, generator: np.random.Generator) -> list[np.ndarray]:
    """Which images each client has. Dirichlet 0.3: each class is dealt in shares of its own."""
    if split == "iid":
        return np.array_split(generator.permutation(len(labels)), CLIENTS)
    dealt: list[list[np.ndarray]] = [[] for _ in range(CLIENTS)]
    for label in range(10):
        images = generator.permutation(np.flatnonzero(labels.numpy() == label))
        cuts = (np.cumsum(generator.dirichlet([0.3] * CLIENTS))[:-1] * len(images)).astype(int)
        for client, part in enumerate(np.split(images, cuts)):
            dealt[client].append(part)
    # A client without a batch would have nothing to train on.
    parts = [np.concatenate(parts) for parts in dealt]
    return parts if min(map(len, parts)) >= 32 else shares(labels, split, generator)


class Exchange:
    """The daemon's service, by grpcio and nothing of ours but containers."""

    def __init__(self, target: str, name: str, mode: str, seed: int, model: nn.Module) -> None:
        self.name, self.mode, self.seed = name, mode, seed
        self.bytes = 0
        channel = grpc.insecure_channel(target, options=[("grpc.enable_http_proxy", 0)])
        call = channel.unary_unary
        prefix = "/spillway.v1.Exchange/"
        self._join = call(prefix + "Join", pb.JoinExchange.SerializeToString, pb.JoinExchangeDone.FromString)
        self._put = call(prefix + "Put", pb.PutWeights.SerializeToString, pb.PutWeightsDone.FromString)
        self._get = channel.unary_stream(prefix + "Get", pb.GetWeights.SerializeToString, pb.WeightsPart.FromString)
        self._end = call(prefix + "End", pb.EndExchange.SerializeToString, pb.EndExchangeDone.FromString)
        wish = pb.JoinExchange(exchange=name, workers=CLIENTS, format=MODES[mode], seed=seed)
        for tensor in model.state_dict().values():
            wish.tensors.add(dtype=1, shape=tensor.shape)
        self.round = self._join(wish, timeout=30).round

    def put(self, worker: int, samples: int, model: nn.Module) -> None:
        for number, tensor in enumerate(model.state_dict().values()):
            # Draws of a client's own: another seed for each of its tensors and rounds.
            seed = hash((self.seed, self.round, worker, number)) & (2**63 - 1)
            form = MODES[self.mode] if tensor.dim() >= 2 else None
            container = spillway.encode(tensor.numpy(), form, seed=seed)
            self.bytes += len(container)
            for first in range(0, len(container), PART_BYTES):
                part = container[first : first + PART_BYTES]
                self._put(
                    pb.PutWeights(
                        exchange=self.name,
                        round=self.round,
                        worker=worker,
                        samples=samples,
                        tensor=number,
                        container=part,
                        first=first == 0,
                        last=first + len(part) == len(container),
                    ),
                    timeout=30,
                )

    def get(self, model: nn.Module, master: bool = False) -> int:
        """Loads the round's mean into the model; how many bytes it took."""
        parts: dict[int, bytes] = {}
        for part in self._get(pb.GetWeights(exchange=self.name, round=self.round, master=master), timeout=60):
            parts[part.tensor] = parts.get(part.tensor, b"") + part.container
        names = list(model.state_dict())
        model.load_state_dict({names[i]: torch.from_numpy(spillway.decode(parts[i])) for i in parts})
        return sum(map(len, parts.values()))

    def end(self) -> None:
        self._end(pb.EndExchange(exchange=self.name), timeout=30)


def train(model: nn.Module, images: torch.Tensor, labels: torch.Tensor, epochs: int, rate: float, seed: int) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        order = torch.randperm(len(labels), generator=generator)
        for first in range(0, len(order), 32):
            chosen = order[first : first + 32]
            loss = functional.cross_entropy(model(images[chosen]), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            # A client of few classes would run away.
            nn.utils.clip_grad_norm_(model.parameters(), 2.0)
            optimizer.step()


@torch.no_grad()
def accuracy(model: nn.Module, pictures: Pictures) -> float:
    hits = sum(int((model(images).argmax(1) == labels).sum()) for images, labels in pictures.tests())
    return 100 * hits / len(pictures.test_labels)


def run(args: argparse.Namespace) -> None:
    out = args.out / f"federated-{args.split}-{args.mode}-{args.seed}.jsonl"
    if out.is_file() and out.read_text().count("\n") >= args.rounds:
        return
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    pictures = Pictures(args.images, args.tests)
    parts = shares(pictures.labels, args.split, np.random.default_rng(args.seed))
    server, worker_model = network(), network()
    exchange = Exchange(args.control, f"{args.split}-{args.mode}-{args.seed}", args.mode, args.seed, server)
    lines = []
    began = time.monotonic()
    for number in range(1, args.rounds + 1):
        start = {name: tensor.clone() for name, tensor in server.state_dict().items()}
        # 2 % less a round: the mean settles.
        rate = args.rate * 0.98 ** (number - 1)
        for worker, part in enumerate(parts):
            worker_model.load_state_dict(start)
            train(
                worker_model,
                pictures.images[part],
                pictures.labels[part],
                args.epochs,
                rate,
                args.seed * 1000 + number * CLIENTS + worker,
            )
            exchange.put(worker, len(part), worker_model)
        # Each client gets the same bytes.
        exchange.bytes += CLIENTS * exchange.get(server)
        exchange.get(worker_model, master=True)
        points = accuracy(worker_model, pictures)
        exchange.round += 1
        lines.append(json.dumps({"round": number, "accuracy": points, "bytes": exchange.bytes}))
        left = (time.monotonic() - began) / number * (args.rounds - number)
        print(
            f"\r{args.split} {args.mode} seed {args.seed}: round {number}/{args.rounds}, {points:.2f} %, "
            f"{exchange.bytes / 1e6:.1f} MB, {left:.0f} s left ",
            end="",
            file=sys.stderr,
            flush=True,
        )
    exchange.end()
    print(file=sys.stderr)
    out.write_text("\n".join(lines) + "\n")


def curve(out: Path, split: str, mode: str, seeds: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Mean accuracy and bytes by round, of all seeds."""
    files = [out / f"federated-{split}-{mode}-{seed}.jsonl" for seed in range(1, seeds + 1)]
    if not all(map(Path.is_file, files)):
        return None
    runs = [[json.loads(line) for line in file.read_text().splitlines()] for file in files]
    return tuple(np.mean([[line[key] for line in run] for run in runs], axis=0) for key in ("accuracy", "bytes"))


def report(args: argparse.Namespace) -> None:
    for split in SPLITS:
        curves = {mode: curve(args.out, split, mode, args.seeds) for mode in MODES}
        if curves["fp32"] is None:
            continue
        # Where FP32 ends up: the mean of its last five rounds, so that no lucky round is the goal.
        goal = float(curves["fp32"][0][-5:].mean()) - NEAR_POINTS
        first_bytes = None
        for mode, found in curves.items():
            if found is None:
                continue
            points, sent = found
            name = f"train/federated-{split}/{mode}"
            print(f"{name}/accuracy_final\t{points[-5:].mean():.2f}\t%\tmean of {args.seeds} seeds, last 5 rounds")
            near = np.flatnonzero(points >= goal)
            if len(near) == 0:
                print(f"{name}/bytes_to_fp32\tnan\tMB\tnot within {NEAR_POINTS} points in {len(points)} rounds")
                continue
            bytes_needed = float(sent[near[0]])
            first_bytes = first_bytes or bytes_needed
            print(f"{name}/bytes_to_fp32\t{bytes_needed / 1e6:.2f}\tMB\tround {near[0] + 1}, both ways")
            print(f"{name}/fewer_bytes\t{first_bytes / bytes_needed:.2f}\tx\tthan fp32")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("build/train"), help="where runs are kept")
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("run", help="one run")
    one.add_argument("split", choices=SPLITS)
    one.add_argument("mode", choices=MODES)
    one.add_argument("--control", required=True, help="the daemon's control plane: unix:PATH")
    one.add_argument("--seed", type=int, default=1)
    one.add_argument("--rounds", type=int, default=30)
    one.add_argument("--epochs", type=int, default=1, help="of a client, a round")
    one.add_argument("--rate", type=float, default=0.05)
    one.add_argument("--images", type=int, default=12000)
    one.add_argument("--tests", type=int, default=10000)
    one.set_defaults(do=run)
    all_ = commands.add_parser("report", help="what all runs came to")
    all_.add_argument("--seeds", type=int, default=3)
    all_.set_defaults(do=report)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    args.do(args)


if __name__ == "__main__":
    main()
