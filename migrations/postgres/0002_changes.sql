-- Runs in the order in which they changed last, for those who follow all of them. Whoever changes a run takes the next number
-- first and holds it until all is saved: so numbers become visible in their order, and nobody who follows misses one.

CREATE TABLE counters (
    name  text   PRIMARY KEY,
    value bigint NOT NULL
);

ALTER TABLE runs ADD COLUMN changed bigint NOT NULL DEFAULT 0;

UPDATE runs SET changed = numbered.changed
FROM (SELECT run_id, row_number() OVER (ORDER BY created_at, run_id) AS changed FROM runs) AS numbered
WHERE runs.run_id = numbered.run_id;

CREATE UNIQUE INDEX runs_by_change ON runs (changed);

INSERT INTO counters (name, value) SELECT 'changes', count(*) FROM runs;
