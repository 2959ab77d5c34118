"""Rules with `engine: spark`: predicates in Spark's SQL over the typed columns of records.

Records are typed by the kernel, judged by Spark, and go on to the kernel that refuses them; so
every record passes the JVM, which the rules of DuckDB spare.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from interest_graph.config import CleanConfig, SourceConfig
from interest_graph.errors import ConfigError, one_line
from interest_graph.events.bronze_reader import by_batch_and_source
from interest_graph.events.kernel_frames import decoded, mapped
from interest_graph.events.map_task import MapWork, Received, map_records
from interest_graph.events.task_rows import labelled
from interest_graph.events.typed_records import TYPED, type_records

_DDL = """file STRING, batch_id STRING, source STRING, position BIGINT, is_readable BOOLEAN,
    event_id STRING, user_id STRING, item_id STRING, action STRING, micros BIGINT, event_date DATE,
    value DOUBLE, user_agent STRING, payload STRING, event_time STRING, _action STRING,
    _value STRING"""


def places_of(config: CleanConfig) -> list[int]:
    """The places in clean.rules of the rules that Spark evaluates."""
    return [place for place, rule in enumerate(config.rules) if rule.engine == "spark"]


def map_judged(records: DataFrame, work: MapWork) -> DataFrame:
    """The task rows of `map_records`, with the rules of Spark. records: of bronze.events.

    Raises ConfigError for a predicate that Spark does not understand.
    """
    typed = records.mapInArrow(partial(_typed, sources=dict(work.sources)), _DDL)
    with_time = typed.withColumn("event_ts", F.timestamp_micros("micros"))
    for place in places_of(work.clean):
        holds = F.expr(f"({work.clean.rules[place].must})")
        try:
            broken = ~F.coalesce(holds.cast("boolean"), F.lit(True))
            with_time = with_time.withColumn(_flag(place), broken)
        except PySparkException as error:
            raise ConfigError(f"clean.rules.{place}.must", one_line(error)) from None
    return mapped(with_time.drop("event_ts"), partial(_map_typed, work=work))


def _flag(place: int) -> str:
    return f"_rule_{place}"


def _typed(
    batches: Iterable[pa.RecordBatch], *, sources: Mapping[str, SourceConfig]
) -> Iterator[pa.RecordBatch]:
    for name, batch, rows in by_batch_and_source(batches, sources):
        typed = type_records(rows, sources[name])
        typed = labelled(typed.append_column("file", rows["file"]), batch_id=batch)
        plain = {column: decoded(typed[column]) for column in ("file", "batch_id", *TYPED.names)}
        yield from pa.table(plain).combine_chunks().to_batches()


def _map_typed(
    batches: Iterable[pa.RecordBatch], task: str, *, work: MapWork
) -> Iterator[pa.RecordBatch]:
    places = places_of(work.clean)

    def received() -> Iterator[Received]:
        for name, batch, rows in by_batch_and_source(batches, work.sources):
            coded = {
                field.name: pc.dictionary_encode(rows[field.name])
                if pa.types.is_dictionary(field.type)
                else rows[field.name]
                for field in TYPED
            }
            flags = {place: rows[_flag(place)].combine_chunks() for place in places}
            yield Received(name, batch, pa.table({**coded, "file": rows["file"]}), flags)

    yield from map_records(received(), work, task)
