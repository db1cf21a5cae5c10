"""Texts said otherwise: which words may go, by what they are replaced, and that a seed repeats it."""

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, BartConfig, BartForConditionalGeneration

from pipeline.learning import augmentation
from pipeline.learning.augmentation import CHOICES
from pipeline.learning.domain import MaskedModel

TEXTS = ["this tea is very good and the box was nice", "unbelievably ##", "", "bad tea, really bad tea"]


@pytest.fixture(scope="module")
def model(tiny_bert):
    return MaskedModel(tiny_bert, 24)


def test_whole_words_are_letters_that_are_no_pieces(tiny_bert):
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    words = augmentation.whole_words(tokenizer, len(tokenizer))
    tokens = np.array(tokenizer.convert_ids_to_tokens(range(len(tokenizer))))
    assert {"tea", "good"} <= set(tokens[words])
    assert not {"[MASK]", "##s", ",", "12", "an"} & set(tokens[words])


@pytest.mark.parametrize("how", [augmentation.synonyms, augmentation.contextual])
def test_some_words_are_replaced_by_others_and_the_rest_stays(how, model):
    told = how(TEXTS, model, 1)
    assert told == how(TEXTS, model, 1)
    assert told != how(TEXTS, model, 2)
    assert told[1:3] == TEXTS[1:3]
    before, after = TEXTS[0].split(), told[0].split()
    assert len(before) == len(after)
    assert 1 <= sum(one != other for one, other in zip(before, after, strict=True)) <= 2
    assert all(word.isalpha() for word in after)


def test_synonyms_are_among_the_nearest_embeddings(model):
    table = torch.nn.functional.normalize(model.body.get_input_embeddings().weight.detach(), dim=-1)
    words = augmentation.whole_words(model.tokenizer, len(table))
    (text,) = augmentation.synonyms(["tea"], model, 0)
    near = (table @ table[model.tokenizer.convert_tokens_to_ids("tea")]).numpy().copy()
    near[~words] = -9
    best = np.argsort(-near)[1 : CHOICES + 1]
    assert text in model.tokenizer.convert_ids_to_tokens(best)


def test_translated_there_and_back_each_text_has_one_answer(tiny_bert, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    torch.manual_seed(0)
    config = BartConfig(
        vocab_size=len(tokenizer), d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, max_position_embeddings=32,
        pad_token_id=0, bos_token_id=101, eos_token_id=102, decoder_start_token_id=101, forced_eos_token_id=102,
    )  # fmt: skip
    BartForConditionalGeneration(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    told = augmentation.back_translated(TEXTS, tmp_path, tmp_path, 6)
    assert len(told) == len(TEXTS)
    assert told == augmentation.back_translated(TEXTS, tmp_path, tmp_path, 6)
    assert augmentation.back_translated([], tmp_path, tmp_path, 6) == []
