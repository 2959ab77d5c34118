"""Clean facts, refused records, and what is known of users and items."""

from __future__ import annotations

from interest_graph.contract import Table

INTERACTIONS = Table(
    name="silver.interactions",
    columns="""
        event_id      STRING NOT NULL COMMENT 'given by the producer or derived from the content',
        user_id       STRING NOT NULL COMMENT 'who',
        item_id       STRING NOT NULL COMMENT 'what, canonical where items were merged',
        action        STRING NOT NULL COMMENT 'configured action name',
        event_ts      TIMESTAMP NOT NULL COMMENT 'when, UTC',
        event_date    DATE NOT NULL COMMENT 'UTC day of event_ts',
        event_period  STRING NOT NULL COMMENT 'partition: day, month or year of event_date',
        value         DOUBLE COMMENT 'rating, price, seconds or count, if any',
        session_id    STRING NOT NULL COMMENT 'run of a user without an inactivity gap',
        dwell_seconds DOUBLE COMMENT 'time to the next event of the session, capped',
        source        STRING NOT NULL COMMENT 'source name in the configuration'""",
    # Producers number their own events, and an order of several items is several facts.
    key=("source", "user_id", "event_date", "event_id", "item_id", "action"),
    writer="clean",
    comment="Clean, deduplicated, sessionised facts: one thing one user did to one item",
    partition_by=("event_period",),  # a run replaces whole periods, other writers' stay untouched
    # Every file of a period holds all kinds of users and items: their bounds would prune nothing.
    properties={"delta.dataSkippingStatsColumns": "event_ts,event_date"},
)

QUARANTINE = Table(
    name="silver.quarantine",
    columns="""
        source   STRING NOT NULL COMMENT 'source name in the configuration',
        file     STRING NOT NULL COMMENT 'file that the record came from',
        position BIGINT NOT NULL COMMENT 'byte or row of the file where the record begins',
        reasons  ARRAY<STRING> NOT NULL COMMENT 'every rule that the row breaks',
        payload  STRING COMMENT 'the record as JSON, or the raw line',
        batch_id STRING NOT NULL COMMENT 'the ingest batch that took it in',
        kind     STRING NOT NULL COMMENT 'events, users, items or social_edges'""",
    key=("source", "file", "position"),
    writer="clean",
    comment="Refused records with the reasons: of events by clean, of attributes by ingest",
    partition_by=("batch_id", "kind"),  # a re-run replaces exactly its batches
    checks={"has_reason": "size(reasons) > 0"},
)

BATCHES = Table(
    name="silver.batches",
    columns="""
        batch_id  STRING NOT NULL COMMENT 'ingest batch that silver.interactions accounts for',
        settings  STRING NOT NULL COMMENT 'digest of the settings that it was cleaned with',
        days      ARRAY<DATE> NOT NULL COMMENT 'UTC days of its records',
        n_records BIGINT NOT NULL COMMENT 'records of the batch',
        n_refused BIGINT NOT NULL COMMENT 'of these in silver.quarantine',
        retry_ts  TIMESTAMP COMMENT 'earliest time of a future record; due again then'""",
    key=("batch_id",),
    writer="clean",
    comment="Batches that are clean, and the days that each of them touches",
)

BOTS = Table(
    name="silver.bots",
    columns="""
        user_id    STRING NOT NULL COMMENT 'whose records were dropped',
        event_date DATE NOT NULL COMMENT 'on this UTC day',
        event_period STRING NOT NULL COMMENT 'partition: that of silver.interactions',
        rule       STRING NOT NULL COMMENT 'bot rule that the day breaks',
        n_events   BIGINT NOT NULL COMMENT 'records dropped'""",
    key=("user_id", "event_date", "rule"),
    writer="clean",
    comment="Users taken for bots, by day and rule",
    partition_by=("event_period",),
)

ITEM_ALIASES = Table(
    name="silver.item_aliases",
    columns="""
        item_id      STRING NOT NULL COMMENT 'an item that is another one listed twice',
        canonical_id STRING NOT NULL COMMENT 'the item that silver.interactions names instead'""",
    key=("item_id",),
    writer="clean",
    comment="Items with titles that nearly agree, merged into one",
)

VALUE_CAPS = Table(
    name="silver.value_caps",
    columns="""
        action         STRING NOT NULL COMMENT 'whose values are capped',
        rule           STRING NOT NULL COMMENT 'setting that it was fitted by, as JSON',
        cap            DOUBLE NOT NULL COMMENT 'larger values are set to it',
        n_values       BIGINT NOT NULL COMMENT 'values that it was fitted to',
        n_above        BIGINT NOT NULL COMMENT 'of these, larger than the cap',
        lower_quartile DOUBLE NOT NULL COMMENT 'of the values',
        median         DOUBLE NOT NULL COMMENT 'of the values',
        upper_quartile DOUBLE NOT NULL COMMENT 'of the values',
        highest        DOUBLE NOT NULL COMMENT 'of the values',
        fitted_as_of   TIMESTAMP NOT NULL COMMENT 'as-of time of the run that fitted it'""",
    key=("action",),
    writer="fit_caps",
    comment="Robust caps of values by action, fitted once and applied by clean",
)

USERS = Table(
    name="silver.users",
    columns="""
        user_id    STRING NOT NULL COMMENT 'who',
        attributes MAP<STRING, STRING> NOT NULL COMMENT 'age, gender, country ... as configured'""",
    key=("user_id",),
    writer="ingest",
    comment="User attributes",
)

ITEMS = Table(
    name="silver.items",
    columns="""
        item_id    STRING NOT NULL COMMENT 'what',
        title      STRING COMMENT 'shown to people',
        text       STRING COMMENT 'what the sentence encoder reads',
        categories ARRAY<STRING> NOT NULL COMMENT 'categories, genres or tags; empty where unknown',
        attributes MAP<STRING, STRING> NOT NULL COMMENT 'price, brand, year ... as configured'""",
    key=("item_id",),
    writer="ingest",
    comment="Item attributes and texts",
)

SOCIAL_EDGES = Table(
    name="silver.social_edges",
    columns="""
        user_id   STRING NOT NULL COMMENT 'who',
        friend_id STRING NOT NULL COMMENT 'whom they follow, trust or befriended',
        weight    DOUBLE NOT NULL COMMENT 'strength, 1 where the source gives none'""",
    key=("user_id", "friend_id"),
    writer="ingest",
    comment="Given user-user relations",
    checks={"positive_weight": "weight > 0"},
)

FEATURES = Table(
    name="silver.features",
    columns="""
        item_id   STRING NOT NULL COMMENT 'what',
        model     STRING NOT NULL COMMENT 'encoder that made the vector',
        text_hash STRING NOT NULL COMMENT 'SHA-256 of the encoded text',
        vector    ARRAY<FLOAT> NOT NULL COMMENT 'unit length'""",
    key=("item_id", "model"),
    writer="featurize",
    comment="Text vectors of items by encoder",
)

ATTRIBUTE_STATISTICS = Table(
    name="silver.attribute_statistics",
    columns="""
        kind          STRING NOT NULL COMMENT 'user or item',
        attribute     STRING NOT NULL COMMENT 'name of the attribute',
        n_values      BIGINT NOT NULL COMMENT 'rows that have a finite number',
        n_missing     BIGINT NOT NULL COMMENT 'the other rows',
        n_not_numbers BIGINT NOT NULL COMMENT 'of these, rows whose text is no finite number',
        mean          DOUBLE NOT NULL COMMENT 'of the numbers, as are all below',
        deviation     DOUBLE NOT NULL COMMENT 'standard deviation of the population',
        log_mean      DOUBLE NOT NULL COMMENT 'mean of sign(x) ln(1 + |x|)',
        log_deviation DOUBLE NOT NULL COMMENT 'standard deviation of the same',
        lowest        DOUBLE NOT NULL COMMENT 'least number',
        highest       DOUBLE NOT NULL COMMENT 'largest number',
        median        DOUBLE NOT NULL COMMENT 'exact',
        fitted_as_of  TIMESTAMP NOT NULL COMMENT 'as-of time of the run that fitted it'""",
    key=("kind", "attribute"),
    writer="featurize",
    comment="What numeric attributes were like when fitted; later rows are transformed by it",
    checks={"known_kind": "kind IN ('user', 'item')"},
)

ATTRIBUTE_FEATURES = Table(
    name="silver.attribute_features",
    columns="""
        kind       STRING NOT NULL COMMENT 'user or item',
        key        STRING NOT NULL COMMENT 'user_id or item_id',
        attributes MAP<STRING, DOUBLE> NOT NULL COMMENT 'imputed and scaled numbers by name',
        imputed    ARRAY<STRING> NOT NULL COMMENT 'names of those that were missing'""",
    key=("kind", "key"),
    writer="featurize",
    comment="Numeric attributes by the statistics of silver.attribute_statistics",
)
