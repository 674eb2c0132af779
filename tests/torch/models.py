"""Small networks that save what real ones save, and a comparison to the bit."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn


class Convolutional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Linear(8 * 14 * 14, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        wide = nn.functional.max_pool2d(torch.relu(self.norm(self.first(image))), 2)
        return self.head((wide + torch.relu(self.second(wide))).flatten(1))


class Block(nn.Module):
    """A transformer block."""

    def __init__(self, width: int = 64, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.before = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.after = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, width = x.shape
        q, k, v = self.qkv(self.before(x)).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        causal = torch.ones(length, length, dtype=torch.bool).tril()
        scores = (q @ k.transpose(-1, -2) / 4).masked_fill(~causal, float("-inf"))
        mixed = (nn.functional.dropout(scores.softmax(-1), 0.1) @ v).transpose(1, 2).reshape(x.shape)
        x = x + self.out(mixed)
        return x + self.narrow(nn.functional.gelu(self.widen(self.after(x))))


def image_loss(model: nn.Module) -> torch.Tensor:
    images, labels = torch.randn(16, 1, 28, 28), torch.randint(10, (16,))
    return nn.functional.cross_entropy(model(images), labels)


def text_loss(model: nn.Module) -> torch.Tensor:
    return model(torch.randn(4, 32, 64, requires_grad=True)).square().mean()


CASES: list[tuple[Callable[[], nn.Module], Callable[[nn.Module], torch.Tensor]]] = [
    (Convolutional, image_loss),
    (Block, text_loss),
]


def bits(tensors) -> list[bytes]:
    return [tensor.detach().contiguous().numpy().tobytes() for tensor in tensors]


def gradients(model: nn.Module) -> list[bytes]:
    return bits(parameter.grad for parameter in model.parameters())
