-- What one gateway does for all that use this database. Here it is so that both databases have the same tables: a file has one
-- gateway.

CREATE TABLE leases (
    name   text    PRIMARY KEY,
    holder blob,
    beat   integer NOT NULL
);

INSERT INTO leases (name, holder, beat) VALUES ('housekeeping', NULL, 0);
