"""The package's file read by the real reader, where both are installed: a directory that loads and writes words."""

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from pipeline.learning import checkpoints

REFERENCE = "embedded:smollm2-135m"


@pytest.mark.slow
@pytest.mark.skipif(not checkpoints.is_at_hand(REFERENCE), reason="needs the extra `generator`")
def test_it_becomes_a_plain_folder_that_speaks(tmp_path):
    folder = checkpoints.resolve(REFERENCE, tmp_path)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    asked = tokenizer("The capital of France is", return_tensors="pt")
    said = model.generate(**asked, max_new_tokens=3, do_sample=False, pad_token_id=0)
    assert "Paris" in tokenizer.decode(said[0])
    assert sum(part.numel() for part in model.parameters()) == 134_515_008
