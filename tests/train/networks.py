"""The networks that are trained: small enough that a run takes minutes on one core."""

from __future__ import annotations

import torch
from torch import nn

from spillway.torch import Tap


class _Block(nn.Module):
    """Two convolutions and a way past them."""

    def __init__(self, come: int, go: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(come, go, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(go)
        self.first_relu = nn.ReLU()
        self.second = nn.Conv2d(go, go, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(go)
        self.relu = nn.ReLU()
        self.past = None
        if stride != 1 or come != go:
            self.past = nn.Conv2d(come, go, 1, stride, bias=False)
            self.past_norm = nn.BatchNorm2d(go)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        past = x if self.past is None else self.past_norm(self.past(x))
        x = self.first_relu(self.first_norm(self.first(x)))
        return self.relu(self.second_norm(self.second(x)) + past)


class ResNet(nn.Module):
    """ResNet-8 for images of 28 x 28: a stem of stride 2 and three stages of one block."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, width, 3, 2, 1, bias=False)
        self.stem_norm = nn.BatchNorm2d(width)
        self.stem_relu = nn.ReLU()
        stages = [_Block(width, width, 1), _Block(width, 2 * width, 2), _Block(2 * width, 4 * width, 2)]
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(4 * width, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.stages(self.stem_relu(self.stem_norm(self.stem(images))))
        return self.head(x.mean((2, 3)))


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.heads = heads
        self.causal = causal
        self.qkv = nn.Linear(width, 3 * width)
        self.operands = Tap()
        self.softmax = nn.Softmax(-1)
        self.out = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, width = x.shape
        # In the order in which the products want them, so that what is saved is what was quantised.
        qkv = self.operands(self.qkv(x).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4).contiguous())
        q, k, v = qkv.flatten(1, 2)
        scores = torch.bmm(q, k.transpose(1, 2)) * (width // self.heads) ** -0.5
        if self.causal:
            mask = torch.ones(length, length, dtype=torch.bool).triu(1)
            scores = scores.masked_fill(mask, float("-inf"))
        mixed = torch.bmm(self.softmax(scores), v)
        return self.out(mixed.view(batch, self.heads, length, -1).transpose(1, 2).reshape(x.shape))


class _Layer(nn.Module):
    def __init__(self, width: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.before = nn.LayerNorm(width)
        self.attention = _Attention(width, heads, causal)
        self.after = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 4 * width)
        self.gelu = nn.GELU()
        self.narrow = nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.before(x))
        return x + self.narrow(self.gelu(self.widen(self.after(x))))


class ViT(nn.Module):
    """A vision transformer over 16 patches of 7 x 7."""

    def __init__(self, width: int = 64, depth: int = 3, heads: int = 4) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, width, 7, 7)
        self.places = nn.Parameter(torch.randn(16, width) * 0.02)
        self.layers = nn.Sequential(*(_Layer(width, heads, False) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.patches(images).flatten(2).transpose(1, 2) + self.places
        return self.head(self.norm(self.layers(x)).mean(1))


class GPT(nn.Module):
    """A character-level transformer; `letters` is the size of the alphabet."""

    def __init__(self, letters: int, context: int = 64, width: int = 96, depth: int = 2, heads: int = 4) -> None:
        super().__init__()
        self.letters = nn.Embedding(letters, width)
        self.places = nn.Parameter(torch.randn(context, width) * 0.02)
        self.layers = nn.Sequential(*(_Layer(width, heads, True) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, letters)

    def forward(self, text: torch.Tensor) -> torch.Tensor:
        x = self.letters(text) + self.places[: text.shape[1]]
        return self.head(self.norm(self.layers(x)))
