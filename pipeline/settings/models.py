"""Settings of the models: what they read, how they are tuned, and what they must reach to serve."""

from typing import Literal

from pydantic import Field, model_validator

from pipeline.section import Section

Method = Literal["full", "lora", "adalora", "bottleneck"]


class Training(Section):
    """One fine-tuning run under the shared harness (`learning.harness`)."""

    method: Method = Field(default="full", description="which weights are tuned, of `sentiment`: `learning.adapters`")
    rank: int = Field(default=8, gt=1, le=256, description="of LoRA and AdaLoRA; bottlenecks are four times as wide")
    gradient_checkpointing: bool = Field(default=False, description="pretrained encoders only: memory for time")

    steps: int = Field(gt=0, description="optimiser steps of a first night")
    warm_steps: int = Field(gt=0, description="optimiser steps when a champion is carried on")
    batch_size: int = Field(gt=1)
    learning_rate: float = Field(gt=0)
    warm_learning_rate: float = Field(gt=0)
    eval_steps: int = Field(gt=0)
    patience: int = Field(gt=0, description="evaluations without gain before stopping")


Precision = Literal["float32", "int8"]


class EncoderSettings(Section):
    """The text encoder: which checkpoint, how items become text, how it is tuned."""

    checkpoint: str = Field(description="embedded:NAME | path:/dir | hf:org/name@revision")
    item_text: str = Field(description="template over item columns")
    max_tokens: int = Field(gt=4, le=512)
    trained_layers: int = Field(gt=0, description="top layers that are tuned; the others stay pretrained")
    pairs: int = Field(gt=0, description="co-purchase pairs sampled for contrastive training")
    judged_pairs: int = Field(gt=0, description="pairs of the judged week by which encoders are compared")
    reads_in: Precision = Field(default="float32", description="int8 reads texts quicker, a little less exactly")
    fresh_share: float = Field(default=0, ge=0, description="more purchases than when last taught, to train again")
    training: Training


class RecommenderSettings(Section):
    """The sequential transformer and the order of candidates."""

    width: int = Field(gt=0)
    layers: int = Field(gt=0)
    heads: int = Field(gt=0)
    history: int = Field(gt=1, description="items of history the transformer reads")
    negatives: int = Field(ge=0, description="items a target is told from, drawn a batch; 0: all, by the exact softmax")
    signals: tuple[Literal["purchase", "rating", "add_to_cart", "click", "view"], ...] = Field(
        default=("purchase",), min_length=1, description="kinds of events that count as taking an item"
    )
    recent_days: int = Field(default=28, gt=0, description="what nobody took for longer stands in no list")
    min_purchases: int = Field(gt=0, description="items with fewer purchases are reached by text and repeats only")
    lessons: int = Field(default=1, gt=0, description="weeks that teach the order of candidates, unseen by the rest")
    repeats: bool = Field(default=True, description="users take the same item again; if not, it is listed no more")
    linear_items: int = Field(default=4000, gt=0, description="items of the linear model where none is taken twice")
    candidates: int = Field(gt=0, description="candidates that each way of scoring names")
    trees: int = Field(default=300, gt=0, description="trees of the order of candidates")
    fresh_share: float = Field(
        default=0, ge=0, description="more purchases than when it was last taught, to train again while it is good"
    )
    training: Training

    @model_validator(mode="after")
    def _heads_fit(self) -> "RecommenderSettings":
        if self.width % self.heads:
            raise ValueError("width must be a multiple of heads")
        return self


class SentimentSettings(Section):
    """How reviews are read: by which encoder, how it is tuned, and what is made of it (`models.sentiment`)."""

    checkpoint: str = Field(default="", description="as the encoder's, which it is when left out")
    max_tokens: int = Field(default=128, gt=4, le=512)
    trained_layers: int = Field(default=4, gt=0, description="top layers that are tuned; the others stay pretrained")
    adversarial_radius: float = Field(
        default=0, ge=0, lt=1, description="of the worst step in embedding space that training withstands; 0: none"
    )
    noise: float = Field(default=0, ge=0, le=1, description="share of the texts that teach once more, with noise")
    floor: float = Field(
        default=0.35, ge=0, le=1, description="share of good reviews under which an item surely lies to be suppressed"
    )
    min_reviews: int = Field(default=10, gt=0, description="reviews under which no item is suppressed")
    taught: int = Field(default=10_000, gt=0, description="newest reviews that teach, at most")
    judged: int = Field(default=1_000, gt=0, description="reviews after them that judge, at most")
    fresh_share: float = Field(default=0.02, ge=0, description="more reviews than taught the champion, to train again")
    training: Training = Training(
        steps=4000,
        warm_steps=400,
        batch_size=16,
        learning_rate=1e-4,
        warm_learning_rate=2e-5,
        eval_steps=50,
        patience=2,
    )


class Thresholds(Section):
    """What judge asks of a challenger; without these it refuses."""

    recommendations_min_ndcg_gain: float = Field(description="over the best single baseline, relative")
    recommendations_max_champion_loss: float = Field(ge=0, description="NDCG@10 lost against the champion, relative")
    encoder_min_recall_gain: float = Field(description="recall@10 over the champion encoder, absolute")
    audiences_min_auc_gain: float = Field(description="AUC over recency-frequency regression, absolute")
    audiences_max_calibration_error: float = Field(gt=0, le=1)
    sentiment_min_accuracy_gain: float = Field(default=0, description="over the commonest polarity, absolute")
    sentiment_max_calibration_error: float = Field(default=0.1, gt=0, le=1)
    sentiment_max_flip_rate: float = Field(
        default=0.05, ge=0, le=1, description="reviews that the champion reads right and the challenger wrong"
    )
    answers_min_accuracy_gain: float = Field(default=0, description="over the commonest intent, absolute")
    answers_max_calibration_error: float = Field(default=0.1, gt=0, le=1)
    answers_max_flip_rate: float = Field(
        default=0.05, ge=0, le=1, description="turns that the champion reads right and the challenger wrong"
    )
    phrasing_min_accepted: float = Field(
        default=0.5, ge=0, le=1, description="re-worded sentences, of kinds never taught, that pass the copy check"
    )
    phrasing_max_unsupported: float = Field(
        default=0.01, ge=0, le=1, description="re-worded sentences that passed it and say what no fact does"
    )
    phrasing_max_flip_rate: float = Field(
        default=0.1, ge=0, le=1, description="sentences that the champion re-words and the challenger cannot"
    )
