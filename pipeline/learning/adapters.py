"""Which weights of a pretrained encoder are tuned: its top layers whole, or small adapters in them, behind one option.

LoRA and AdaLoRA are PEFT's; a bottleneck adapter is two small matrices after each sub-layer. Adapters sit in the
encoder itself, so whoever reads texts with it need not know of them. Not here: what is kept (`forms`), and training.
Sources: LoRA, Hu et al. 2021, https://arxiv.org/abs/2106.09685; AdaLoRA, Zhang et al. 2023,
https://arxiv.org/abs/2303.10512; bottleneck adapters, Houlsby et al. 2019, https://arxiv.org/abs/1902.00751.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch

from pipeline.errors import ConfigError
from pipeline.settings import Method

NAME = "default"
RATES: Mapping[Method, float] = MappingProxyType({"full": 1, "lora": 5, "adalora": 10, "bottleneck": 5})
"""By how much faster than whole layers few weights are tuned: the shop's `learning_rate` is that of whole layers."""
WIDTH = 4  # a bottleneck is so many times as wide as a rank, and trains about as many weights
SUBLAYERS = "output.dense"  # where a bottleneck follows: attention and feed-forward both end so
ORTHOGONAL = 0.5  # weight of the penalty that keeps AdaLoRA's directions apart


class Bottleneck(torch.nn.Module):
    """A linear map and, added to what it gives, a narrow detour that begins as nothing."""

    def __init__(self, inner: torch.nn.Linear, width: int) -> None:
        super().__init__()
        self.inner = inner
        self.down = torch.nn.Linear(inner.out_features, width)
        self.up = torch.nn.Linear(width, inner.out_features)
        torch.nn.init.zeros_(self.up.weight)
        torch.nn.init.zeros_(self.up.bias)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """[..., H] of [..., I]."""
        told = self.inner(states)
        return told + self.up(torch.nn.functional.gelu(self.down(told)))


class Tuning:
    """What a method does besides following gradients: nothing, but for AdaLoRA."""

    def begin(self, steps: int) -> None:
        """Told how many steps will follow."""

    def after_update(self, step: int) -> None:
        """Called after each step of the optimiser, gradients still there."""

    def penalty(self) -> torch.Tensor | float:
        """Added to the loss in training."""
        return 0.0


class _AdaLora(Tuning):
    """Gives ranks to the matrices where they matter most, from more of them to the shop's own."""

    def __init__(self, tuner: Any) -> None:
        self.tuner, self.plan = tuner, tuner.peft_config[NAME]

    def begin(self, steps: int) -> None:
        self.plan.total_step, self.plan.tinit, self.plan.tfinal = steps, steps // 5, steps // 3
        self.plan.deltaT, self.plan.rank_pattern = max(1, steps // 20), None

    def after_update(self, step: int) -> None:
        if step > self.plan.total_step - self.plan.tfinal and self.plan.rank_pattern is None:
            self.plan.rank_pattern = {  # a resumed run: what was given up is nought
                name: (value != 0).view(-1).tolist() for name, value in self._named("lora_E").items()
            }
        self.tuner.update_and_allocate(step)

    def penalty(self) -> torch.Tensor | float:
        apart = [value @ value.T for value in self._named("lora_A").values()]
        apart += [value.T @ value for value in self._named("lora_B").values()]
        off = [torch.linalg.matrix_norm(one - torch.eye(len(one), device=one.device)) for one in apart]
        return ORTHOGONAL * torch.stack(off).mean()

    def _named(self, part: str) -> dict[str, torch.nn.Parameter]:
        return {name: value for name, value in self.tuner.model.named_parameters() if f"{part}.{NAME}" in name}


def attach(body: torch.nn.Module, method: Method, layers: int, rank: int, seed: int) -> Tuning:
    """Make the top layers of an encoder tunable by a method; everything else stays as it is.

    Args:
        body: a BERT-like encoder; adapters are set into it.
        method: of tuning.
        layers: from the top.
        rank: of LoRA's matrices, of AdaLoRA's in the end, and for bottlenecks a quarter of their width.
        seed: of the adapters' first weights.
    """
    body.requires_grad_(False)
    every = list(body.encoder.layer)
    top = range(max(0, len(every) - layers), len(every))
    if method == "full":
        for place in top:
            every[place].requires_grad_(True)
        return Tuning()
    found = {
        f"encoder.layer.{place}.{name}": part
        for place in top
        for name, part in every[place].named_modules()
        if isinstance(part, torch.nn.Linear)
    }
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if method == "bottleneck":
            for name, part in found.items():
                if name.endswith(SUBLAYERS):
                    _replace(body, name, Bottleneck(part, rank * WIDTH))
            return Tuning()
        return _low_rank(body, method, list(found), rank)


def _low_rank(body: torch.nn.Module, method: Method, names: list[str], rank: int) -> Tuning:
    from peft import AdaLoraConfig, LoraConfig
    from peft.tuners import AdaLoraModel, LoraModel

    if method == "lora":
        LoraModel(body, LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=names), NAME)
        return Tuning()
    first = rank + rank // 2
    plan = AdaLoraConfig(
        init_r=first, target_r=rank, lora_alpha=2 * first, target_modules=names, total_step=10, tinit=1, tfinal=1
    )
    return _AdaLora(AdaLoraModel(body, plan, NAME))


def merge(body: torch.nn.Module) -> None:
    """Add what low-rank adapters learned to the matrices they sit in, and take them away.

    Raises:
        ConfigError: bottlenecks are no matrices that could be added.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, part in list(body.named_modules()):
        if isinstance(part, Bottleneck):
            raise ConfigError("bottleneck adapters cannot be merged into the encoder; choose lora, adalora or full")
        if isinstance(part, BaseTunerLayer):
            part.merge()
            _replace(body, name, part.get_base_layer())


def _replace(body: torch.nn.Module, name: str, part: torch.nn.Module) -> None:
    above, _, own = name.rpartition(".")
    setattr(body.get_submodule(above), own, part)
