# Static binary on an empty image: non-root, works with a read-only root. The configuration mounted at /config has to say
# where state goes and where to listen, for instance
#   storage: {path: /data/slo.db}
#   server: {listen: "0.0.0.0:9777"}
# Base images are pinned by version; pin digests in your own registry.
FROM rust:1.95-alpine3.22 AS build
RUN apk add --no-cache musl-dev build-base ca-certificates
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY src ./src
COPY rules ./rules
COPY benches ./benches
RUN cargo build --release --locked --bin slo && strip target/release/slo && mkdir -p /empty/data

FROM scratch
# Roots for https sources and sinks.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
LABEL org.opencontainers.image.title="slo" \
      org.opencontainers.image.description="SLO and burn-rate alerting evaluator" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /src/target/release/slo /slo
COPY --from=build --chown=65532:65532 /empty/data /data
USER 65532:65532
WORKDIR /config
VOLUME ["/data"]
EXPOSE 9777
HEALTHCHECK --interval=30s --timeout=5s CMD ["/slo", "status", "--format", "json"]
ENTRYPOINT ["/slo"]
CMD ["run", "--config", "/config/slo.yaml"]
