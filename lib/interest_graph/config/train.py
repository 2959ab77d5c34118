"""Settings of the train stage."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
)

from interest_graph.config.base import Section
from interest_graph.config.models import (
    AlsConfig,
    AutoConfig,
    BlendConfig,
    ChebyshevConfig,
    EaseConfig,
    GraphFilterConfig,
    ImplicitAlsConfig,
    ItemKnnConfig,
    LocalEaseConfig,
    ModelName,
    ValidationConfig,
)

# What of train does not decide a result, and may hold secrets: not in digests or lineage.
NO_RESULT = {"mlflow", "exchange", "checkpoint_seconds"}


class SpectralConfig(Section):
    """Ideal low-pass filter: leading singular vectors of the normalised graph."""

    dimension: PositiveInt | None = None  # singular vectors; null: train.dimension
    n_products: PositiveInt = 4  # passes over the shards; more make the last vectors more exact
    popularity: NonNegativeFloat = 0.5  # exponent of an item's degree in its score
    # a user's scores are divided by degree ** user_exponent, which matters within a blend alone
    user_exponent: NonNegativeFloat = 0.5
    sharpening: NonNegativeFloat = 0.0  # time for which smoothed scores are sharpened again


class MlflowConfig(Section):
    """MLflow server to log parameters, rounds and results to; needs the mlflow extra."""

    # such as sqlite:///mlflow.db or https://host; null: environment variable MLFLOW_TRACKING_URI
    tracking_uri: SecretStr | None = None  # secret, as it may hold a password
    experiment: str = Field(default="interest-graph", min_length=1)


class TrainConfig(Section):
    """The model and how it is trained on shards."""

    model: ModelName = "auto"  # or module:attribute of a model of your own
    n_shards: PositiveInt | None = 2  # null: as many as keep worker_mb, 2 at least
    sharding: Literal["hash", "community"] = "hash"  # community: a shard's users share items
    dimension: PositiveInt = 64  # length of an embedding
    n_layers: NonNegativeInt = 3  # graph convolutions; 0: plain matrix factorisation
    start: Literal["spectral", "random"] = "spectral"  # of LightGCN's vectors
    start_scale: PositiveFloat = 0.3  # root mean square of the first vectors
    max_rounds: PositiveInt = 40
    passes_per_round: PositiveInt = 2  # times that a shard sees its edges between two exchanges
    patience: PositiveInt = 5  # rounds without a better validation metric before training stops
    batch_size: PositiveInt = 2048  # user-item pairs a step
    loss: Literal["bpr", "softmax", "bsl"] = "bpr"  # one negative a pair, or a pool for the batch
    # how they are drawn; in_batch: softmax, bsl: the batch's own items, bpr: by their degree
    negatives: Literal["uniform", "popularity", "in_batch"] = "uniform"
    n_negatives: PositiveInt = 512  # softmax, bsl: draws of the pool
    corrects_draws: bool = True  # softmax: items that are drawn more often count less
    negative_power: PositiveFloat = 1.0  # bsl: of the negatives' sum; 1: plain softmax loss
    n_candidates: PositiveInt = 8  # bpr: drawn for a pair; the one that scores highest counts
    similarity: Literal["dot", "cosine"] = "dot"  # LightGCN's score; cosine: no item by its length
    score: Literal["dot", "cosine"] | None = None  # of the final vectors; null: as similarity
    temperature: PositiveFloat = 1.0  # softmax, bsl: lower stresses the hardest negatives
    # softmax, bsl: of float32 products; medium takes bfloat16 inside, where the processor has it
    precision: Literal["highest", "high", "medium"] = "highest"
    schedule: Literal["constant", "cosine"] = "constant"  # of the learning rate, by round
    dropout: float = Field(default=0.0, ge=0, lt=1)  # share of the edges that a pass leaves out
    clip_norm: PositiveFloat | None = None  # largest norm of a step's gradient
    learning_rate: PositiveFloat = 0.005
    weight_decay: NonNegativeFloat = 1e-4
    seed: NonNegativeInt = 42
    deterministic: bool = False  # the same bits in each run on a GPU too, slower; on a CPU always
    worker_mb: PositiveInt = 4096  # a model that would need more in one worker refuses to start
    # how shards exchange what they learnt, with equal results: by workers that keep their shards in
    # memory and meet directly, or by one Spark job a round; auto: resident where it is possible
    exchange: Literal["auto", "resident", "rounds"] = "auto"
    checkpoint_seconds: PositiveFloat = 60.0  # resident: rounds are stored about so often
    validation: ValidationConfig = ValidationConfig()
    spectral: SpectralConfig = SpectralConfig()
    item_knn: ItemKnnConfig = ItemKnnConfig()
    als: AlsConfig = AlsConfig()
    implicit_als: ImplicitAlsConfig = ImplicitAlsConfig()
    ease: EaseConfig = EaseConfig()
    local_ease: LocalEaseConfig = LocalEaseConfig()
    graph_filter: GraphFilterConfig = GraphFilterConfig()
    chebyshev: ChebyshevConfig = ChebyshevConfig()
    blend: BlendConfig = BlendConfig()
    auto: AutoConfig = AutoConfig()
    mlflow: MlflowConfig | None = None  # null: nothing is logged there

    def decisive(self) -> dict[str, Any]:
        """The settings that decide a result, as JSON values."""
        return self.model_dump(mode="json", exclude=NO_RESULT)
