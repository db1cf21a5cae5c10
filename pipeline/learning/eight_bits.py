"""Linear layers in eight bits, for reading alone: quicker where the processor multiplies whole numbers (AVX-512 VNNI).

Each row that comes in and each output's weights have a scale of their own, so what a text gives does not depend on what
stands beside it. Not here: training. Source: LLM.int8(), vector-wise quantisation, Dettmers et al. 2022,
https://arxiv.org/abs/2208.07339.
"""

from copy import deepcopy
from typing import TypeVar

import torch

LARGEST = 127
TINY = 1e-8

Model = TypeVar("Model", bound=torch.nn.Module)


class EightBitLinear(torch.nn.Module):
    """A linear layer whose products are of whole numbers; weights int8 [K, N], a scale each of N outputs."""

    weight: torch.Tensor
    scale: torch.Tensor
    bias: torch.Tensor

    def __init__(self, linear: torch.nn.Linear) -> None:
        """Round the weights of a layer that has been tuned."""
        super().__init__()
        weight = linear.weight.detach()
        scale = weight.abs().amax(1).clamp(min=TINY) / LARGEST
        self.register_buffer("weight", (weight / scale[:, None]).round().to(torch.int8).T)
        self.register_buffer("scale", scale)
        self.register_buffer("bias", torch.zeros_like(scale) if linear.bias is None else linear.bias.detach())

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        """Outputs [..., N] of inputs [..., K]."""
        rows = given.reshape(-1, given.shape[-1])
        largest = torch.maximum(rows.amax(1, keepdim=True), rows.amin(1, keepdim=True).neg_())
        size = largest.clamp_(min=TINY).div_(LARGEST)
        # In place where it can be: beside such products a pass over fresh memory is dear.
        out = torch._int_mm((rows / size).round_().to(torch.int8), self.weight).float().mul_(self.scale)
        return torch.addcmul(self.bias, out, size, out=out).view(*given.shape[:-1], -1)


def rounded(model: Model) -> Model:
    """A copy of a model with all its linear layers in eight bits."""
    copy = deepcopy(model).eval()
    for parent in list(copy.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, torch.nn.Linear):
                setattr(parent, name, EightBitLinear(child))
    return copy
