"""Which of several answers fits what was said: by shared words, by meaning, and by how like cases were answered before.

Not here: which candidates there are, and figures.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

from pipeline.errors import NoData
from pipeline.learning import checkpoints
from pipeline.models import encoder as encoders
from pipeline.models.encoder import Encoder, Pairs
from pipeline.models.sentiment import Mix, drawn
from pipeline.models.tokens import TOKEN
from pipeline.record import Recorder
from pipeline.settings import EncoderSettings, Training

Context = tuple[str, ...]

TURNS, LETTERS = 3, 120  # of a context, the last ones are read
PREFIXES = {"embedded:me5-small": "query: "}  # with which a checkpoint was pretrained
SATURATION, LENGTH = 1.2, 0.75
NEAR = 0.1  # how much nearer a case must be to count e times as much
WEIGH_SHARE = 0.3  # of the dialogues weigh the readers, and teach the encoder nothing
LEAST = 8  # dialogues below which nothing is learned
CANDIDATES = 10  # to tell the answer from when readers are weighed, half of them alike in words
SETTINGS = EncoderSettings(
    checkpoint="embedded:me5-small",
    item_text="{title}",
    max_tokens=64,
    trained_layers=4,
    pairs=1,
    judged_pairs=1,
    training=Training(
        steps=40,
        warm_steps=20,
        batch_size=32,
        learning_rate=5e-5,
        warm_learning_rate=2e-5,
        eval_steps=8,
        patience=3,
    ),
)


def spoken(context: Context) -> str:
    """What is read of a context: its last turns."""
    return " ".join(context[-TURNS:])[-LETTERS:]


def pieces(text: str) -> list[str]:
    """Words, and of Chinese its characters, in lower case."""
    return [found.group() for found in TOKEN.finditer(text.lower())]


def bm25(queries: Sequence[str], documents: Sequence[str]) -> np.ndarray:
    """How well documents answer queries by the words that they share: float64 [Q, D], 0 where none.

    Source: Robertson and Zaragoza 2009, The Probabilistic Relevance Framework: BM25 and Beyond.
    """
    counter = CountVectorizer(analyzer=pieces)
    counts = counter.fit_transform(documents).astype(np.float64).tocsc()
    lengths = np.asarray(counts.sum(1)).ravel()
    held = np.diff(counts.indptr)
    rarity = np.log1p((len(documents) - held + 0.5) / (held + 0.5))
    room = SATURATION * (1 - LENGTH + LENGTH * lengths / max(lengths.mean(), 1e-9))
    counts.data *= (SATURATION + 1) / (counts.data + room[counts.indices])
    asked = counter.transform(queries).astype(bool).astype(np.float64).multiply(rarity)
    return np.asarray((asked @ counts.T).todense())


def exchanges(answered: Sequence[tuple[Context, str]]) -> list[tuple[Context, str]]:
    """Every turn of the answering side with what was said before it, each once, in order."""
    found = []
    for context, answer in answered:
        turns = (*context, answer)
        found += [(turns[:place], turns[place]) for place in range(len(turns) - 1, 0, -2)]
    return sorted(set(found))


@dataclass(frozen=True)
class Ranker:
    """What orders candidates.

    Attributes:
        prefix: of every text that is encoded.
        pretrained: the encoder as it came.
        tuned: on the dialogues.
        cases: exchanges that taught, as context and answer.
        mix: of the readers' scores.
    """

    prefix: str
    pretrained: Encoder
    tuned: Encoder
    cases: Sequence[tuple[Context, str]]
    mix: Mix

    def scores(
        self, contexts: Sequence[Context], context: np.ndarray, candidates: Sequence[str]
    ) -> dict[str, np.ndarray]:
        """By reader, and by all together as `fused`: float64 [N], higher is likelier.

        Args:
            contexts: C of them.
            context: int [N] of each candidate.
            candidates: N texts.
        """
        read = readers(self, contexts, context, candidates)
        fused = sum(weight * one for weight, one in zip(self.mix.weights, read.values(), strict=True))
        return {"fused": np.asarray(fused)} | read


def readers(
    ranker: Ranker, contexts: Sequence[Context], context: np.ndarray, candidates: Sequence[str]
) -> dict[str, np.ndarray]:
    """Scores of each reader alone: float64 [N]."""
    distinct, place = np.unique(np.array(candidates, dtype=object), return_inverse=True)
    asked = [spoken(one) for one in contexts]
    texts = [ranker.prefix + one for one in (*asked, *distinct)]
    shared = bm25([" ".join(one) for one in contexts], distinct.tolist())
    found = {"BM25": shared[context, place]}
    for name, encoder in (("frozen encoder", ranker.pretrained), ("tuned encoder", ranker.tuned)):
        vectors = encoder.encode(texts)
        ours, theirs = vectors[: len(asked)], vectors[len(asked) :]
        found[name] = np.einsum("nh,nh->n", ours[context], theirs[place]).astype(np.float64)
    known = ranker.tuned.encode(
        [ranker.prefix + one for case, answer in ranker.cases for one in (spoken(case), answer)]
    )
    weight = np.exp(ours @ known[::2].T / NEAR)
    weight /= weight.sum(1, keepdims=True)
    found["like cases"] = np.einsum("nk,nk->n", weight[context], theirs[place] @ known[1::2].T).astype(np.float64)
    return found


def learn(
    answered: Sequence[tuple[Context, str]],
    settings: EncoderSettings,
    *,
    home: Path,
    folder: Path,
    seed: int,
    recorder: Recorder,
    progress: Callable[[str, int, int], None],
) -> Ranker:
    """Tune the encoder on exchanges of some dialogues, and weigh the readers on those of the others.

    Args:
        answered: contexts and what was answered.
        settings: checkpoint and rates.
        home: under which checkpoints are unpacked.
        folder: for the Trainer's checkpoints.
        seed: of all drawing.
        recorder: gets the loss curves.
        progress: called as (step, done, total).

    Raises:
        NoData: too few dialogues.
    """
    first = [drawn(context[0]) for context, _ in answered]
    weigh = [case for case, chance in zip(answered, first, strict=True) if chance < WEIGH_SHARE]
    teach = exchanges([case for case, chance in zip(answered, first, strict=True) if chance >= WEIGH_SHARE])
    if min(len(weigh), len(answered) - len(weigh)) < LEAST:
        raise NoData(f"{len(answered)} dialogues: too few to learn from; give at least {LEAST * 5}")
    prefix = PREFIXES.get(settings.checkpoint, "")
    body = checkpoints.resolve(settings.checkpoint, home)
    held = exchanges(weigh)
    texts = [prefix + one for case, answer in (*teach, *held) for one in (spoken(case), answer)]
    places = {text: place for place, text in reversed(list(enumerate(texts)))}
    pairs = np.array([places[text] for text in texts], np.int64).reshape(-1, 2)
    tuned = encoders.train(
        Encoder(body, settings.max_tokens),
        Pairs(texts, pairs[: len(teach)]),
        Pairs(texts, pairs[len(teach) :]),
        settings,
        warm=False,
        folder=folder,
        seed=seed,
        recorder=recorder,
        progress=lambda done, total: progress("tune the encoder", done, total),
    )
    even = Mix(np.ones(4), np.zeros(CANDIDATES))
    ranker = Ranker(prefix, Encoder(body, settings.max_tokens).eval(), tuned, teach, even)
    asked, candidates, right = _lots(held, [answer for _, answer in (*teach, *held)], seed)
    context = np.repeat(np.arange(len(asked)), CANDIDATES)
    read = readers(ranker, asked, context, candidates)
    progress("weigh the readers", 1, 1)
    mix = Mix.learn([one.reshape(-1, CANDIDATES) for one in read.values()], right)
    recorder.params({"responses.mix": dict(zip(read, mix.weights.tolist(), strict=True))})
    return Ranker(prefix, ranker.pretrained, tuned, teach, mix)


def _lots(
    held: Sequence[tuple[Context, str]], answers: Sequence[str], seed: int
) -> tuple[list[Context], list[str], np.ndarray]:
    """Contexts, CANDIDATES a context in a drawn order, and the place of what was answered among them.

    Half of the wrong ones share the most words with the context, as a search would bring them up; the others are drawn.
    """
    rng = np.random.default_rng(seed)
    pool = sorted(set(answers))
    alike = np.argsort(-bm25([" ".join(context) for context, _ in held], pool), axis=1, kind="stable")
    candidates, right = [], []
    for (_, answer), near in zip(held, alike, strict=True):
        wrong = [pool[place] for place in near[: CANDIDATES // 2 + 1] if pool[place] != answer][: CANDIDATES // 2]
        others = [one for one in pool if one != answer and one not in wrong]
        wrong += [others[place] for place in rng.permutation(len(others))[: CANDIDATES - 1 - len(wrong)]]
        place = int(rng.integers(CANDIDATES))
        candidates += [*wrong[:place], answer, *wrong[place:]]
        right.append(place)
    return [context for context, _ in held], candidates, np.array(right)
