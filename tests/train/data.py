"""What the networks learn: Fashion-MNIST, and English text, both from Debian packages."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy
import torch

_IMAGES = Path("/usr/share/datasets/fashion-mnist")
# Of base-files, which every Debian system has: English, if of a kind.
_TEXTS = Path("/usr/share/common-licenses")


class Skip(Exception):
    """The data is not on this machine."""


def _idx(path: Path, header: int) -> numpy.ndarray:
    if not path.is_file():
        raise Skip(f"{path} is missing: install the Debian package dataset-fashion-mnist")
    with gzip.open(path) as file:
        return numpy.frombuffer(file.read(), numpy.uint8)[header:]


def _pictures(part: str, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    labels = _idx(_IMAGES / f"{part}-labels-idx1-ubyte.gz", 8)
    images = _idx(_IMAGES / f"{part}-images-idx3-ubyte.gz", 16).reshape(len(labels), 1, 28, 28)
    # 256ths, so that a picture's eight bits need no more than eight here.
    return torch.tensor(images[:count]).float() / 256, torch.tensor(labels[:count]).long()


class Pictures:
    """Batches of the first `count` training images, flipped every other time; all test images."""

    is_text = False
    outputs = 10

    def __init__(self, count: int, tests: int = 10_000) -> None:
        self.images, self.labels = _pictures("train", count)
        self.test_images, self.test_labels = _pictures("t10k", tests)

    def batches(self, size: int, generator: torch.Generator):
        order = torch.randperm(len(self.labels), generator=generator)
        for number, first in enumerate(range(0, len(order) - size + 1, size)):
            chosen = order[first : first + size]
            images = self.images[chosen]
            yield (images.flip(-1) if number % 2 else images), self.labels[chosen]

    def steps(self, size: int) -> int:
        return len(self.labels) // size

    def tests(self, size: int = 500):
        for first in range(0, len(self.test_labels), size):
            yield self.test_images[first : first + size], self.test_labels[first : first + size]

    def probe(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self.images[:256], self.labels[:256]


class Text:
    """Windows of characters and what follows each. The last tenth of the text is for tests."""

    is_text = True

    def __init__(self, count: int, context: int = 64, tests: int = 500) -> None:
        files = sorted(path for path in _TEXTS.glob("*") if path.is_file() and not path.is_symlink())
        if not files:
            raise Skip(f"there are no texts in {_TEXTS}")
        text = "\n".join(path.read_text(errors="replace") for path in files)
        alphabet = sorted(set(text))
        number = {letter: index for index, letter in enumerate(alphabet)}
        letters = torch.tensor([number[letter] for letter in text])
        self.outputs = len(alphabet)
        self._context, self._count = context, count
        cut = len(letters) * 9 // 10
        self._train, test = letters[:cut], letters[cut:]
        self._tests = [test[i : i + context + 1] for i in range(0, len(test) - context - 1, context)][:tests]

    def batches(self, size: int, generator: torch.Generator):
        for _ in range(self.steps(size)):
            first = torch.randint(len(self._train) - self._context - 1, (size,), generator=generator)
            yield self._pair(torch.stack([self._train[i : i + self._context + 1] for i in first]))

    def steps(self, size: int) -> int:
        return self._count // size

    def tests(self, size: int = 50):
        for first in range(0, len(self._tests), size):
            yield self._pair(torch.stack(self._tests[first : first + size]))

    def probe(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self._pair(self._train[: 64 * (self._context + 1)].view(64, -1))

    @staticmethod
    def _pair(windows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return windows[:, :-1], windows[:, 1:]
