-- The queue: runs that wait for a worker take turns. All of it can be found out anew from what was there before, so that
-- an older version may go on with the same tables.

-- Runs whose turn comes together: those of a recipe.
ALTER TABLE runs ADD COLUMN lane text NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN priority integer NOT NULL DEFAULT 0;
-- Runs of the lane that may be under way at the same time. 0: as many as there is room for.
ALTER TABLE runs ADD COLUMN concurrency integer NOT NULL DEFAULT 0;
-- From when on it may be sent, while it waits for that.
ALTER TABLE runs ADD COLUMN ready_at text;
-- When a worker took it last.
ALTER TABLE runs ADD COLUMN sent_at text;
-- Whether somebody has to look into it.
ALTER TABLE runs ADD COLUMN parked boolean NOT NULL DEFAULT false;
-- Counts what is saved of it, events or not.
ALTER TABLE runs ADD COLUMN revision integer NOT NULL DEFAULT 0;

UPDATE runs SET lane = recipe_id;
UPDATE runs SET ready_at = due_at WHERE state = 'pending';

CREATE INDEX runs_waiting ON runs (ready_at) WHERE ready_at IS NOT NULL;
CREATE INDEX runs_turns ON runs (lane, sent_at);
CREATE INDEX runs_parked ON runs (run_id) WHERE parked;
