"""One training run of the demo, in a process of its own.

Trains a ResNet-style network on Fashion-MNIST and writes losses, a digest of the final weights, step times and peak
memory as JSON. With --endpoint the activations live in the spillwayd there; all else is the same in both runs.
"""

import argparse
import contextlib
import gzip
import hashlib
import json
import os
import statistics
import sys
import threading
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional

DATASET = "/usr/share/datasets/fashion-mnist"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--label", required=True, help="name of the run in the progress bar")
    parser.add_argument("--result", required=True, help="where to write the JSON")
    parser.add_argument("--endpoint", help="spillwayd to spill to; without it, plain torch")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--width", type=int, default=16, help="channels of the first stage")
    parser.add_argument("--blocks", type=int, default=5, help="residual blocks per stage")
    parser.add_argument("--images", type=int, default=20000, help="how many of the training set's 60,000 to load")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--data", default=DATASET)
    return parser.parse_args()


def read_idx(path, header_bytes, wanted_bytes):
    with gzip.open(path) as file:
        return np.frombuffer(file.read(header_bytes + wanted_bytes), dtype=np.uint8, offset=header_bytes)


def load_training_set(folder, count):
    images = read_idx(f"{folder}/train-images-idx3-ubyte.gz", 16, count * 28 * 28).reshape(-1, 1, 28, 28)
    labels = read_idx(f"{folder}/train-labels-idx1-ubyte.gz", 8, count)
    return images, labels.astype(np.int64)


class Block(nn.Module):
    """Two convolutions and a shortcut, as in the CIFAR networks of He et al. (2015)."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


def make_network(width, blocks):
    layers = [nn.Conv2d(1, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    inputs = width
    for stage in range(3):
        outputs = width << stage
        for block in range(blocks):
            layers.append(Block(inputs, outputs, 2 if stage > 0 and block == 0 else 1))
            inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 10))


def own_memory_bytes():
    """What this process alone holds: anonymous and shared pages, not the files of Python and torch mapped into it."""
    total = 0
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith(("RssAnon:", "RssShmem:")):
                total += int(line.split()[1]) * 1024
    return total


class PeakMemory(threading.Thread):
    """Samples the process's own memory from a thread of its own, every 5 ms, while the `with` block runs."""

    def __init__(self):
        super().__init__(daemon=True)
        self.peak_bytes = 0
        self._stop_asked = threading.Event()

    def run(self):
        while not self._stop_asked.wait(0.005):
            self.peak_bytes = max(self.peak_bytes, own_memory_bytes())

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._stop_asked.set()
        self.join()


class Progress:
    """A bar on a terminal; elsewhere one line per tenth of the way."""

    def __init__(self, label, steps):
        self.label, self.steps, self.began = label, steps, time.monotonic()
        self.bar = sys.stderr.isatty()

    def show(self, done, loss):
        if not self.bar and done % max(1, self.steps // 10) != 0 and done != self.steps:
            return
        width = 30
        filled = width * done // self.steps
        left_s = (time.monotonic() - self.began) / done * (self.steps - done)
        text = (
            f"{self.label:>8} [{'#' * filled}{'.' * (width - filled)}] step {done}/{self.steps}"
            f"  loss {loss:.4f}  {left_s:4.0f} s left"
        )
        end = "\n" if not self.bar or done == self.steps else ""
        print(f"\r{text}" if self.bar else text, end=end, file=sys.stderr, flush=True)


def offloading(endpoint):
    if endpoint is None:
        return contextlib.nullcontext()
    from spillway.torch import offload

    return offload(endpoint)


def weights_digest(network):
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def train(options):
    torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(options.seed)
    order = np.random.default_rng(options.seed)
    images, labels = load_training_set(options.data, options.images)
    network = make_network(options.width, options.blocks)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    losses, step_seconds = [], []
    progress = Progress(options.label, options.steps)
    with PeakMemory() as memory, offloading(options.endpoint) as spill:
        for step in range(options.steps):
            began = time.monotonic()
            chosen = order.integers(0, len(images), options.batch)
            x = torch.from_numpy(images[chosen]).float().div_(255).sub_(0.286).div_(0.353)
            loss = functional.cross_entropy(network(x), torch.from_numpy(labels[chosen]))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            step_seconds.append(time.monotonic() - began)
            progress.show(step + 1, losses[-1])
    return {
        "losses": [value.hex() for value in losses],
        "last_loss": losses[-1],
        "weights_sha256": weights_digest(network),
        "step_seconds": statistics.median(step_seconds),
        "peak_bytes": memory.peak_bytes,
        "steps": options.steps,
    }, spill


def spill_result(spill):
    stats = spill.stats
    return {
        "spilled_tensors": stats.spilled,
        "raw_bytes": stats.raw_bytes,
        "stored_bytes": stats.stored_bytes,
        "kept": dict(stats.kept),
        "failures": stats.failures,
    }


def main():
    options = arguments()
    result, spill = train(options)
    if spill is not None:
        result["spill"] = spill_result(spill)
    with open(options.result, "w", encoding="utf-8") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main()
