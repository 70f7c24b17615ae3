# `just verify` runs everything that CI checks. `just` alone lists the recipes.

default:
    @just --list

# What CI checks
verify: fmt-check lint layers deny advisories doc test

fmt-check:
    cargo fmt --all --check

lint:
    cargo clippy --workspace --all-targets -- -D warnings

# Whether every dependency points the right way, as ARCHITECTURE.md draws it
layers:
    tests/layers

deny:
    cargo deny check bans licenses sources

# Whether a known hole is in a dependency; says so where the database cannot be reached
advisories:
    tests/advisories

doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Every test; installs what the tests need
test:
    tests/run

# More cases of the property tests against the oracle; prints the line that repeats a failure
laws cases="2000":
    TENURE_CASES={{cases}} cargo test --release -p tenure-tests

# Write everything that is generated: JSON Schemas, the OpenAPI and AsyncAPI documents, missing golden files
schemas:
    TENURE_UPDATE=1 cargo test -p tenure-wire --test golden
    TENURE_UPDATE=1 cargo test -p tenure-server --test documents

# Whether everything generated is what the code says
schemas-check:
    cargo test -p tenure-wire --test golden
    cargo test -p tenure-server --test documents

# A NATS server with the users of deploy/nats and its store in .cache; every password is `secret`
nats:
    NATS_STORE=.cache/nats-store LEDGER_PASSWORD=secret CRM_PASSWORD=secret HR_PASSWORD=secret \
    AUDITOR_PASSWORD=secret OPERATOR_PASSWORD=secret SYSTEM_PASSWORD=secret \
        .cache/nats/bin/nats-server --config deploy/nats/nats-server.conf

# A server on ./tenure-data
run:
    cargo run --release -- serve

# What the ledger costs on a big landscape, with each budget met or missed; like `just bench l 1000000`
bench size="l" changes="10000000" *options:
    cargo run --release -p tenure-bench -- ledger --size {{size}} --changes {{changes}} {{options}}

# How fast a ledger on a NATS stream is, against NATS alone in the same run
bench-nats folder="target" seconds="5":
    TENURE_BENCH_NATS="${TENURE_TEST_NATS_NEWEST:-$PWD/.cache/nats/bin/nats-server}" \
        cargo run --release -p tenure-bench -- nats {{folder}} {{seconds}}

# What callers, TLS and enforced access add to a check and an append; like `just bench-doors --format markdown`
bench-doors *options:
    cargo build --release -p tenure
    cargo run --release -p tenure-bench -- doors {{options}}

# Kill, stop, restart and cut off three nats-servers under load; prints what was done, with counts
chaos seed="1" rounds="1" pause="20":
    TENURE_SEED={{seed}} TENURE_ROUNDS={{rounds}} TENURE_PAUSE_S={{pause}} \
        cargo test -p tenure --test nats_cluster -- --nocapture

# What questions cost against the length of history, and a plot of it
bench-curve plot="target/curve.svg" changes="10000000":
    cargo run --release -p tenure-bench -- curve --changes {{changes}} --plot {{plot}}

# What the parts cost: the fold, who on one level, a timeline, a requirement
bench-micro *options:
    cargo run --release -p tenure-bench -- micro {{options}}

# How many records a second an import reads, and takes into a ledger in memory
bench-import records="100000":
    cargo run --release -p tenure-import --example speed -- {{records}}

# The same history and questions in PostgreSQL 15, with every answer compared; installs PostgreSQL where it is
# missing
bench-postgres *arguments:
    tests/postgres
    cargo run --release -p tenure-bench -- postgres {{arguments}}
