# Partita in a small image: built in one stage, only the binary in the other.
#
#   docker build -t partita .
#   docker run -v partita:/data -p 127.0.0.1:9000:9000 partita
#
# Both images can be replaced, for example by ones of your own registry.
ARG BUILD_IMAGE=rust:1.95-bookworm
ARG RUN_IMAGE=debian:bookworm-slim

FROM ${BUILD_IMAGE} AS build
ARG PROFILE=release
WORKDIR /src
COPY . .
RUN cargo install --locked --path . --bin partita --profile ${PROFILE} --root /out

FROM ${RUN_IMAGE}
# The server needs no right but that to its data; commands refuse any other user.
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin partita \
    && install -d -o partita -g partita -m 0700 /data
COPY --from=build /out/bin/partita /usr/local/bin/partita
USER partita
VOLUME /data
EXPOSE 9000
# SIGTERM drains: no new connections, requests under way end.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["partita", "health", "--data", "/data"]
ENTRYPOINT ["partita", "serve", "--data", "/data", "--listen", "0.0.0.0:9000"]
