-- The index of the trial store. A measurement is in bodies until it is moved into a segment, a Parquet file of many.
CREATE TABLE trials (
    key BLOB PRIMARY KEY,  -- SHA-256 of all that the measurement follows from
    trial BLOB NOT NULL,
    image TEXT NOT NULL,
    made REAL NOT NULL,  -- seconds since 1970
    policy TEXT NOT NULL,
    source BLOB,  -- SHA-256, NULL for EEVDF
    tunables TEXT NOT NULL,  -- JSON
    workload TEXT NOT NULL,
    scale TEXT NOT NULL,
    seed INTEGER NOT NULL,
    clock TEXT NOT NULL,
    machine TEXT NOT NULL,  -- JSON
    outcome TEXT NOT NULL,
    host_s REAL,
    segment INTEGER,  -- NULL: in bodies; -1: there for good, no column can hold it
    place INTEGER  -- row in the segment
) WITHOUT ROWID;
CREATE INDEX trials_by_trial ON trials (trial);
CREATE INDEX trials_by_made ON trials (made);
CREATE INDEX trials_loose ON trials (made) WHERE segment IS NULL;
CREATE INDEX trials_by_segment ON trials (segment) WHERE segment >= 0;
-- Compressed JSON.
CREATE TABLE bodies (key BLOB PRIMARY KEY, body BLOB NOT NULL);
-- Compressed text of policies.
CREATE TABLE sources (sha256 BLOB PRIMARY KEY, text BLOB NOT NULL);
