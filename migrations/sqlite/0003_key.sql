-- What only the key of the installation opens: a gateway that was given another one says so when it starts.

CREATE TABLE key_check (
    one    integer PRIMARY KEY CHECK (one = 1),
    sealed blob    NOT NULL
);
