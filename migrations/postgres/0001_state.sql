-- What a gateway knows. A body is the JSON form of a message of kalla.v1, without credentials; what is sealed holds them,
-- encrypted with the key of the installation.

CREATE TABLE sources (
    alias      text        PRIMARY KEY,
    version    bigint      NOT NULL,
    body       jsonb       NOT NULL,
    sealed     bytea       NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

-- The latest version of each recipe; one that was deleted keeps its number, so that none is given out twice.
CREATE TABLE recipes (
    recipe_id  text        PRIMARY KEY,
    version    bigint      NOT NULL,
    deleted    boolean     NOT NULL,
    created_at timestamptz NOT NULL
);

-- Versions are added and never changed: a run names the one that it used.
CREATE TABLE recipe_versions (
    recipe_id  text        NOT NULL REFERENCES recipes,
    version    bigint      NOT NULL,
    body       jsonb       NOT NULL,
    sealed     bytea       NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (recipe_id, version)
);

CREATE TABLE runs (
    run_id     uuid        PRIMARY KEY,
    recipe_id  text        NOT NULL,
    state      text        NOT NULL,
    -- The number of its latest event: who saves a change names the one that he has seen.
    version    bigint      NOT NULL,
    life       jsonb       NOT NULL,
    body       jsonb       NOT NULL,
    -- What a worker is told.
    sealed     bytea       NOT NULL,
    due_at     timestamptz,
    created_at timestamptz NOT NULL
);

CREATE INDEX runs_by_age ON runs (created_at, run_id);
CREATE INDEX runs_of_recipes ON runs (recipe_id, created_at);
CREATE INDEX runs_due ON runs (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE run_events (
    run_id     uuid        NOT NULL REFERENCES runs,
    seq        bigint      NOT NULL,
    body       jsonb       NOT NULL,
    PRIMARY KEY (run_id, seq)
);

-- Answers to requests that are sent again.
CREATE TABLE idempotency_keys (
    key        text        PRIMARY KEY,
    request    bytea       NOT NULL,
    run_id     uuid        NOT NULL REFERENCES runs,
    created_at timestamptz NOT NULL
);

-- Files that came through the gateway. The worker keeps them for a time; what is known of them stays.
CREATE TABLE uploads (
    upload_id  uuid        PRIMARY KEY,
    body       jsonb       NOT NULL,
    uri        text        NOT NULL,
    created_at timestamptz NOT NULL
);
