"""What holds for every test, and one small slice of the grocer's real data.

Airflow's home is a throw-away one, set before any module imports Airflow, and empty. Properties are judged by what they
hold, not by how long a busy machine takes.
"""

import atexit
import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

_home = tempfile.mkdtemp(prefix="shopkeel-airflow-")
atexit.register(shutil.rmtree, _home, ignore_errors=True)
os.environ.update(AIRFLOW_HOME=_home, AIRFLOW__CORE__LOAD_EXAMPLES="False")
os.environ.pop("COLUMNS", None)  # a test worker's, which the command line would keep for good

CORNER = ("disk_full", "failpoints", "laws_night", "random_kills")
SHARED = {f"tests/chaos/test_{name}.py": "nights of the corner shop" for name in CORNER}
SHARED |= dict.fromkeys(("tests/test_gates.py", "tests/chaos/test_gates_rows.py"), "verdicts on planted defects")
DAY = date(2017, 3, 19)  # past a change of the clocks and the first campaigns

settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long come first, so that no worker is left alone with one while the other has nothing to do."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Where a file's tests share a worker, so do those of files that start from what is made once (SHARED)."""
    if config.getvalue("dist") != "loadfile":
        return None  # xdist's own
    from xdist.scheduler import LoadFileScheduling

    class Together(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return SHARED.get(file, file)

    return Together(config, log)


@pytest.fixture(scope="module", autouse=True)
def settled() -> None:
    """What is there by now stays: the garbage collections between a night's stages need not look at it again."""
    gc.freeze()


@dataclass(frozen=True)
class Slice:
    """The grocer's arrivals for 60 households, and of the catalogue and placements what they bought by DAY."""

    shop: Any
    whole: Any
    goods: Any

    def days(self) -> tuple[date, date]:
        return self.whole.days()

    def arrivals(self, feed: str, after: date | None, upto: date, seen: Any = None) -> Any:
        arrived = self.whole.arrivals(feed, after, upto)
        if feed not in ("items", "placements"):
            return arrived
        return replace(arrived, rows=arrived.rows.semi_join(self.goods, "item_id"))


@dataclass(frozen=True)
class Landed:
    """The slice as it landed.

    Attributes:
        root: folder of landed feeds.
        day: last day that was read.
        secret: key of the user keys.
    """

    root: Path
    day: date
    secret: bytes


@pytest.fixture(scope="session")
def connection() -> Any:
    """One engine for the whole run."""
    from pipeline import engine

    return engine.connect(2)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The engine on a Spark cluster of two workers."""
    pytest.importorskip("pyspark", reason="no Spark: make spark, with a Java of 17 or newer")
    from tests.cluster import started

    with started(tmp_path_factory.mktemp("cluster")) as engine:
        yield engine


@pytest.fixture(scope="session")
def grocer(connection: Any) -> Slice:
    """The real data, small."""
    import ibis

    from pipeline.settings import load_shop
    from pipeline.shops.source import open_source

    shop = load_shop("grocer").model_copy(update={"max_users": 60})
    whole = open_source(shop, connection)
    bought = whole.arrivals("events", None, DAY).rows.select("item_id").distinct().to_pyarrow()
    return Slice(shop, whole, ibis.memtable(bought))


@pytest.fixture(scope="session")
def landed(grocer: Slice, connection: Any, tmp_path_factory: pytest.TempPathFactory) -> Landed:
    """The slice, landed at once through the middle of March."""
    from pipeline.contracts.feeds import FEEDS
    from pipeline.feeds import ingest

    done = Landed(tmp_path_factory.mktemp("grocer") / "feeds", DAY, b"k" * 32)
    for feed in FEEDS.values():
        ingest.land(
            connection,
            grocer,
            done.root,
            feed,
            done.day,
            first_day=grocer.shop.first_day,
            zone=grocer.shop.zone,
            secret=done.secret,
            origin=grocer.shop.name,
        )
    return done


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Hugging Face directory: the embedded encoder's tokenizer over two random layers, 32 wide."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    from pipeline.learning import checkpoints

    home = tmp_path_factory.mktemp("tiny_bert")
    tokenizer = BertTokenizerFast.from_pretrained(checkpoints.resolve("embedded:minilm-l6", home))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    folder = home / "tiny"
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Hugging Face directory of a language model over bytes: two random layers, 32 wide."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    letters = {letter: place for place, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    spelled = Tokenizer(models.BPE(letters, []))
    spelled.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    spelled.decoder = decoders.ByteLevel()
    marks = {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "pad_token": "<|im_end|>"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=spelled, **marks)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=512,
        tie_word_embeddings=True,
    )
    folder = tmp_path_factory.mktemp("tiny_llama")
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
