"""Every table of the suite; the only coupling between its jobs."""

from __future__ import annotations

from interest_graph.contract import Table

FILES = Table(
    name="bronze.files",
    columns="""
        source       STRING NOT NULL COMMENT 'source name in the configuration',
        path         STRING NOT NULL COMMENT 'file or folder as listed',
        size_bytes   BIGINT NOT NULL COMMENT 'size when listed',
        modified_ts  TIMESTAMP NOT NULL COMMENT 'modification time when listed',
        batch_id     STRING NOT NULL COMMENT 'the ingest batch that took it in',
        status       STRING NOT NULL COMMENT 'pending before its rows are written, done after',
        n_rows       BIGINT COMMENT 'rows taken from it, null while pending'""",
    key=("source", "path"),
    writer="ingest",
    comment="Ledger of input files; a pending batch is finished first by the next run",
    checks={"known_status": "status IN ('pending', 'done')"},
)

EVENTS = Table(
    name="bronze.events",
    columns="""
        source      STRING NOT NULL COMMENT 'source name in the configuration',
        file        STRING NOT NULL COMMENT 'file that the record came from',
        position    BIGINT NOT NULL COMMENT 'orders the records of one file',
        event_id    STRING COMMENT 'id given by the producer, if any',
        user_id     STRING COMMENT 'as received',
        item_id     STRING COMMENT 'as received',
        action      STRING COMMENT 'as received, before mapping',
        event_time  STRING COMMENT 'as received, before parsing',
        value       STRING COMMENT 'rating, price, seconds or count, as received',
        user_agent  STRING COMMENT 'as received, if any',
        payload     STRING COMMENT 'the rest of the record as JSON, or the raw line if unreadable',
        is_readable BOOLEAN NOT NULL COMMENT 'false when the line could not be split into columns',
        batch_id    STRING NOT NULL COMMENT 'the ingest batch that took it in'""",
    key=("source", "file", "position"),
    writer="ingest",
    comment="Behaviour log records as received",
    partition_by=("batch_id",),  # a re-run replaces exactly its batch; no other files are touched
    # Every reader selects batches: statistics would cost a tenth of the write and prune nothing.
    properties={"delta.dataSkippingNumIndexedCols": "0"},
)

INTERACTIONS = Table(
    name="silver.interactions",
    columns="""
        event_id      STRING NOT NULL COMMENT 'given by the producer or derived from the content',
        user_id       STRING NOT NULL COMMENT 'who',
        item_id       STRING NOT NULL COMMENT 'what, canonical where items were merged',
        action        STRING NOT NULL COMMENT 'configured action name',
        event_ts      TIMESTAMP NOT NULL COMMENT 'when, UTC',
        event_date    DATE NOT NULL COMMENT 'UTC day of event_ts',
        value         DOUBLE COMMENT 'rating, price, seconds or count, if any',
        session_id    STRING NOT NULL COMMENT 'run of a user without an inactivity gap',
        dwell_seconds DOUBLE COMMENT 'time to the next event of the session, capped',
        source        STRING NOT NULL COMMENT 'source name in the configuration'""",
    # Producers number their own events: an id is theirs, and a user's day's.
    key=("source", "user_id", "event_date", "event_id"),
    writer="clean",
    comment="Clean, deduplicated, sessionised facts: one thing one user did to one item",
    partition_by=("event_date",),  # parallel daily writers must not conflict, merges must prune
    # Every file of a day holds all kinds of users and items: their bounds would prune nothing.
    properties={"delta.dataSkippingStatsColumns": "event_ts"},
)

QUARANTINE = Table(
    name="silver.quarantine",
    columns="""
        source   STRING NOT NULL COMMENT 'source name in the configuration',
        file     STRING NOT NULL COMMENT 'file that the record came from',
        position BIGINT NOT NULL COMMENT 'orders the records of one file',
        reasons  ARRAY<STRING> NOT NULL COMMENT 'every rule that the row breaks',
        payload  STRING COMMENT 'the record as JSON, or the raw line',
        batch_id STRING NOT NULL COMMENT 'the ingest batch that took it in'""",
    key=("source", "file", "position"),
    writer="clean",
    comment="Refused records with the reasons",
    partition_by=("batch_id",),  # a re-run replaces exactly its batches
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
        rule       STRING NOT NULL COMMENT 'bot rule that the day breaks',
        n_events   BIGINT NOT NULL COMMENT 'records dropped'""",
    key=("user_id", "event_date", "rule"),
    writer="clean",
    comment="Users taken for bots, by day and rule",
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

VERTICES = Table(
    name="graph.vertices",
    columns="""
        graph_version STRING NOT NULL COMMENT 'settings, as-of time and input versions, digested',
        id            STRING NOT NULL COMMENT 'u:<user_id>, i:<item_id> or t:<interest>',
        kind          STRING NOT NULL COMMENT 'user, item or interest',
        key           STRING NOT NULL COMMENT 'the id without its prefix',
        name          STRING COMMENT 'title or interest name, for people',
        attributes    MAP<STRING, STRING> COMMENT 'of silver.users or silver.items, if any',
        vector        ARRAY<FLOAT> COMMENT 'of the text of an item, if any',
        n_events      BIGINT COMMENT 'events of the user or item up to the as-of time',
        n_neighbours  BIGINT COMMENT 'items of the user, users of the item, before pruning',
        first_ts      TIMESTAMP COMMENT 'first of these events',
        last_ts       TIMESTAMP COMMENT 'last of these events'""",
    key=("graph_version", "id"),
    writer="build_graph",
    comment="Vertices of the interest graph",
    partition_by=("graph_version",),
    checks={"known_kind": "kind IN ('user', 'item', 'interest')"},
)

EDGES = Table(
    name="graph.edges",
    columns="""
        graph_version STRING NOT NULL COMMENT 'as in graph.vertices',
        src           STRING NOT NULL COMMENT 'vertex id',
        dst           STRING NOT NULL COMMENT 'vertex id',
        kind          STRING NOT NULL COMMENT 'user_item, item_item, item_interest, social ...',
        weight        DOUBLE NOT NULL COMMENT 'interest at the as-of time, or similarity',
        n_events      BIGINT NOT NULL COMMENT 'events behind the edge; 0 where none',
        first_ts      TIMESTAMP COMMENT 'first event behind the edge',
        last_ts       TIMESTAMP COMMENT 'last event behind the edge'""",
    key=("graph_version", "src", "dst", "kind"),
    writer="build_graph",
    comment="Pruned weighted edges of the interest graph",
    partition_by=("graph_version",),
    checks={"positive_weight": "weight > 0"},
)

GRAPH_METRICS = Table(
    name="graph.metrics",
    columns="""
        graph_version STRING NOT NULL COMMENT 'as in graph.vertices',
        stage         STRING NOT NULL COMMENT 'before or after pruning',
        metric        STRING NOT NULL COMMENT 'for example edges.user_item, density, components',
        value         DOUBLE NOT NULL COMMENT 'the measure'""",
    key=("graph_version", "stage", "metric"),
    writer="build_graph",
    comment="Shape of the graph before and after pruning",
    partition_by=("graph_version",),
)

COMMUNITIES = Table(
    name="graph.communities",
    columns="""
        graph_version     STRING NOT NULL COMMENT 'as in graph.vertices',
        id                STRING NOT NULL COMMENT 'vertex id',
        component         BIGINT NOT NULL COMMENT 'connected component',
        community         BIGINT NOT NULL COMMENT 'label propagation community',
        modularity_community BIGINT NOT NULL COMMENT 'Leiden community',
        pagerank          DOUBLE NOT NULL COMMENT 'unweighted PageRank, sums to 1',
        weighted_pagerank DOUBLE NOT NULL COMMENT 'PageRank along edge weights, sums to 1',
        core_number       BIGINT NOT NULL COMMENT 'largest k whose k-core holds the vertex',
        triangles         BIGINT NOT NULL COMMENT 'triangles at the vertex',
        clustering        DOUBLE NOT NULL COMMENT 'share of pairs of neighbours that are joined',
        degree            BIGINT NOT NULL COMMENT 'edges at the vertex',
        weighted_degree   DOUBLE NOT NULL COMMENT 'their weights, summed'""",
    key=("graph_version", "id"),
    writer="build_graph",
    comment="Structure of the graph per vertex",
    partition_by=("graph_version",),
)

GRAPH_VERSIONS = Table(
    name="graph.versions",
    columns="""
        graph_version  STRING NOT NULL COMMENT 'as in graph.vertices',
        build          BIGINT NOT NULL COMMENT 'counts builds from 1: the largest was built last',
        as_of          TIMESTAMP NOT NULL COMMENT 'nothing later was seen',
        formula        STRING NOT NULL COMMENT 'how the weight of a user-item edge is computed',
        settings       STRING NOT NULL COMMENT 'graph settings as JSON',
        input_versions MAP<STRING, BIGINT> NOT NULL COMMENT 'Delta versions of the tables read'""",
    key=("graph_version",),
    writer="build_graph",
    comment="What each version of the graph was built from",
)

EDGE_CHANGES = Table(
    name="graph.edge_changes",
    columns="""
        old_version STRING NOT NULL COMMENT 'graph_version that is compared',
        new_version STRING NOT NULL COMMENT 'graph_version that it is compared with',
        src         STRING NOT NULL COMMENT 'vertex id',
        dst         STRING NOT NULL COMMENT 'vertex id',
        kind        STRING NOT NULL COMMENT 'as in graph.edges',
        change      STRING NOT NULL COMMENT 'new, gone, stronger or weaker',
        old_weight  DOUBLE COMMENT 'null where the edge is new',
        new_weight  DOUBLE COMMENT 'null where the edge is gone'""",
    key=("old_version", "new_version", "src", "dst", "kind"),
    writer="diff",
    comment="Edges that differ between two versions of the graph",
    partition_by=("old_version", "new_version"),
    checks={"known_change": "change IN ('new', 'gone', 'stronger', 'weaker')"},
)

COMMUNITY_CHANGES = Table(
    name="graph.community_changes",
    columns="""
        old_version STRING NOT NULL COMMENT 'as in graph.edge_changes',
        new_version STRING NOT NULL COMMENT 'as in graph.edge_changes',
        change      STRING NOT NULL COMMENT 'split: of the old version; merged: of the new one',
        community   BIGINT NOT NULL COMMENT 'which community split, or is merged from others',
        parts       ARRAY<BIGINT> NOT NULL COMMENT 'communities of the other version, two or more',
        n_vertices  BIGINT NOT NULL COMMENT 'its vertices that are in both versions'""",
    key=("old_version", "new_version", "change", "community"),
    writer="diff",
    comment="Communities that split or merged between two versions of the graph",
    partition_by=("old_version", "new_version"),
)

SHARDS = Table(
    name="model.shards",
    columns="""
        model_run STRING NOT NULL COMMENT 'training run',
        user_id   STRING NOT NULL COMMENT 'who',
        shard_id  INT NOT NULL COMMENT 'unit of training work that holds all edges of the user',
        n_edges   BIGINT NOT NULL COMMENT 'edges of the user'""",
    key=("model_run", "user_id"),
    writer="train",
    comment="The partition of users into shards",
    partition_by=("model_run",),
)

PARTITION = Table(
    name="model.partition",
    columns="""
        model_run    STRING NOT NULL COMMENT 'training run',
        shard_id     INT NOT NULL COMMENT 'shard; -1 for figures of the whole graph',
        n_users      BIGINT NOT NULL COMMENT 'its users',
        n_edges      BIGINT NOT NULL COMMENT 'its edges: all edges of its users',
        n_items      BIGINT NOT NULL COMMENT 'items that its users know',
        expected_mb  DOUBLE NOT NULL COMMENT 'memory that its worker is expected to need',
        imbalance    DOUBLE NOT NULL COMMENT 'its bytes by the mean; of the whole: the largest',
        replication  DOUBLE COMMENT 'shards that an item is in, on average; on the whole row',
        shared_edges DOUBLE COMMENT 'share of the edges whose item other shards have too',
        n_hubs       BIGINT COMMENT 'items that a tenth of the users know or more',
        hubs         ARRAY<STRING> COMMENT 'the best known of them, item_id'""",
    key=("model_run", "shard_id"),
    writer="train",
    comment="How even the shards of a run are, and what they share",
    partition_by=("model_run",),
)

EMBEDDINGS = Table(
    name="model.embeddings",
    columns="""
        model_run STRING NOT NULL COMMENT 'training run',
        model     STRING NOT NULL COMMENT 'spectral, lightgcn ...',
        kind      STRING NOT NULL COMMENT 'user or item',
        key       STRING NOT NULL COMMENT 'user_id or item_id',
        vector    ARRAY<FLOAT> NOT NULL COMMENT 'score of user and item is the inner product'""",
    key=("model_run", "model", "kind", "key"),
    writer="train",
    comment="User and item vectors by training run",
    partition_by=("model_run",),
    checks={"known_kind": "kind IN ('user', 'item')"},
)

ITEM_WEIGHTS = Table(
    name="model.item_weights",
    columns="""
        model_run STRING NOT NULL COMMENT 'training run',
        model     STRING NOT NULL COMMENT 'spectral, ease, item_knn ...',
        src       STRING NOT NULL COMMENT 'item of the history',
        dst       STRING NOT NULL COMMENT 'item that it speaks for',
        weight    FLOAT NOT NULL COMMENT 'what a history edge of weight 1 adds to dst'""",
    key=("model_run", "model", "src", "dst"),
    writer="train",
    comment="Item-item weights by training run; empty for models of vectors alone",
    partition_by=("model_run",),
)

TRAINING_LOG = Table(
    name="model.training_log",
    columns="""
        model_run      STRING NOT NULL COMMENT 'training run',
        model          STRING NOT NULL COMMENT 'spectral, lightgcn ...',
        round          INT NOT NULL COMMENT 'from 1',
        shard_id       INT NOT NULL COMMENT 'shard; -1 for figures of the whole round',
        loss           DOUBLE COMMENT 'mean loss of the round',
        metric         DOUBLE COMMENT 'validation NDCG, on whole-round rows',
        seconds        DOUBLE NOT NULL COMMENT 'wall time',
        peak_memory_mb DOUBLE NOT NULL COMMENT 'peak resident memory of the worker'""",
    key=("model_run", "model", "round", "shard_id"),
    writer="train",
    comment="Loss, metric, seconds and memory by round and shard",
    partition_by=("model_run",),
)

MODELS = Table(
    name="model.runs",
    columns="""
        model_run      STRING NOT NULL COMMENT 'training run',
        model          STRING NOT NULL COMMENT 'spectral, lightgcn ...',
        build          BIGINT NOT NULL COMMENT 'counts from 1: the largest was trained last',
        graph_version  STRING NOT NULL COMMENT 'graph that it was trained on',
        as_of          TIMESTAMP NOT NULL COMMENT 'nothing later was seen',
        parameters     STRING NOT NULL COMMENT 'training settings as JSON',
        input_versions MAP<STRING, BIGINT> NOT NULL COMMENT 'Delta versions of the tables read',
        n_users        BIGINT NOT NULL COMMENT 'users trained on',
        n_items        BIGINT NOT NULL COMMENT 'items trained on',
        n_edges        BIGINT NOT NULL COMMENT 'user-item edges trained on',
        n_rounds       INT NOT NULL COMMENT 'rounds trained'""",
    key=("model_run",),
    writer="train",
    comment="Training runs with parameters and lineage",
)

TRIALS = Table(
    name="model.trials",
    columns="""
        study          STRING NOT NULL COMMENT 'fixed settings, space and graph, digested',
        trial          INT NOT NULL COMMENT 'from 0, in the order of the study',
        model          STRING NOT NULL COMMENT 'spectral, lightgcn ...',
        graph_version  STRING NOT NULL COMMENT 'graph that it was tried on',
        state          STRING NOT NULL COMMENT 'complete, pruned, failed or interrupted',
        settings       MAP<STRING, STRING> NOT NULL COMMENT 'tried settings by name, as JSON',
        k              INT NOT NULL COMMENT 'list length of the metric',
        metric         DOUBLE COMMENT 'NDCG on held-out pairs of the train window, where complete',
        seconds        DOUBLE COMMENT 'wall time; null where interrupted',
        peak_memory_mb DOUBLE COMMENT 'JVM and Python processes on the driver host',
        error          STRING COMMENT 'one line, where failed'""",
    key=("study", "trial"),
    writer="tune",
    comment="Settings tried on a validation part of the train window",
    checks={"known_state": "state IN ('complete', 'pruned', 'failed', 'interrupted')"},
)

RECOMMENDATIONS = Table(
    name="gold.recommendations",
    columns="""
        user_id       STRING NOT NULL COMMENT 'for whom',
        rank          INT NOT NULL COMMENT 'from 1',
        item_id       STRING NOT NULL COMMENT 'what',
        score         DOUBLE NOT NULL COMMENT 'comparable within one user only',
        strategy      STRING NOT NULL COMMENT 'model, or popularity for users without history',
        reason        STRING NOT NULL COMMENT 'one line for people, from the graph path',
        model_run     STRING NOT NULL COMMENT 'training run behind the score',
        graph_version STRING NOT NULL COMMENT 'graph behind the score and the reason',
        as_of         TIMESTAMP NOT NULL COMMENT 'nothing later was seen'""",
    key=("user_id", "rank"),
    writer="recommend",
    comment="Top items per user, best first, with reasons and lineage",
    checks={"rank_from_one": "rank >= 1"},
)

METRICS = Table(
    name="gold.metrics",
    columns="""
        split     STRING NOT NULL COMMENT 'random, time or given, with its parameters',
        model     STRING NOT NULL COMMENT 'the configured model or a baseline',
        is_ours   BOOLEAN NOT NULL COMMENT 'true for the configured model',
        metric    STRING NOT NULL COMMENT 'precision, recall, f1, ndcg, mrr, map, hit_rate ...',
        k         INT NOT NULL COMMENT 'list length',
        value     DOUBLE NOT NULL COMMENT 'mean over users; coverage: share of items',
        n_users   BIGINT NOT NULL COMMENT 'users with hold-out items and a train history',
        lead      DOUBLE COMMENT 'ours minus this model, same users; null for ours',
        lead_low  DOUBLE COMMENT 'lower end of the 95% confidence interval of lead',
        lead_high DOUBLE COMMENT 'upper end of the 95% confidence interval of lead',
        seconds   DOUBLE NOT NULL COMMENT 'fit and top-k wall time',
        as_of     TIMESTAMP NOT NULL COMMENT 'nothing later was learnt from'""",
    key=("split", "model", "metric", "k"),
    writer="evaluate",
    comment="Ranking quality against baselines on held-out interactions",
)

MADE_EVENTS = Table(
    name="ops.made_events",
    columns="""
        event_id STRING COMMENT 'id in the record',
        user_id  STRING COMMENT 'user in the record',
        item_id  STRING COMMENT 'item in the record',
        kind     STRING NOT NULL COMMENT 'person, duplicate_*, retry, bot.* or malformed.*',
        session  STRING COMMENT 'true session of a person on a day'""",
    key=("event_id", "kind"),
    writer="generate",
    comment="What each record of the made-up log is",
)

MADE_ITEMS = Table(
    name="ops.made_items",
    columns="""
        item_id     STRING NOT NULL COMMENT 'as listed',
        original_id STRING NOT NULL COMMENT 'the item that it is; itself unless listed twice'""",
    key=("item_id",),
    writer="generate",
    comment="Which made-up items are the same thing",
)

RUNS = Table(
    name="ops.runs",
    columns="""
        run_id         STRING NOT NULL COMMENT 'also in userMetadata of every commit of the run',
        job            STRING NOT NULL COMMENT 'which job',
        status         STRING NOT NULL COMMENT 'succeeded or failed',
        as_of          TIMESTAMP NOT NULL COMMENT 'the run saw nothing later',
        started_ts     TIMESTAMP NOT NULL COMMENT 'wall clock',
        seconds        DOUBLE NOT NULL COMMENT 'wall time',
        peak_memory_mb DOUBLE NOT NULL COMMENT 'JVM and Python processes on the driver host',
        rows           MAP<STRING, BIGINT> NOT NULL COMMENT 'rows in, kept, dropped by reason',
        reads          MAP<STRING, BIGINT> NOT NULL COMMENT 'Delta versions read',
        writes         MAP<STRING, BIGINT> NOT NULL COMMENT 'Delta versions after the run',
        fingerprint    STRING NOT NULL COMMENT 'digest of settings and input versions',
        error          STRING COMMENT 'one line, for failed runs'""",
    key=("run_id", "job"),
    writer="every job",
    comment="One row a run of a job",
    checks={"known_status": "status IN ('succeeded', 'failed')"},
)

ALL_TABLES: dict[str, Table] = {
    table.name: table for table in list(globals().values()) if isinstance(table, Table)
}
