-- What one gateway does for all that use this database. Whoever holds a lease counts its beat up; one whose beat stands still is
-- taken over. No clock of any machine is compared with that of another.

CREATE TABLE leases (
    name   text   PRIMARY KEY,
    holder uuid,
    beat   bigint NOT NULL
);

INSERT INTO leases (name, holder, beat) VALUES ('housekeeping', NULL, 0);
