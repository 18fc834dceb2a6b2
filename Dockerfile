# Image of Partita. The first stage builds the binary, the second one contains only the binary.
#
#   docker build -t partita .
#   docker run -v partita:/data -p 127.0.0.1:9000:9000 partita
#
# Both base images can be replaced by build arguments, for example with images of another registry.
ARG BUILD_IMAGE=rust:1.95-bookworm
ARG RUN_IMAGE=debian:bookworm-slim

FROM ${BUILD_IMAGE} AS build
ARG PROFILE=dist
WORKDIR /src
COPY . .
RUN cargo install --locked --path . --bin partita --profile ${PROFILE} --root /out

FROM ${RUN_IMAGE}
# The server only needs access to its data folder. Commands refuse to run as another user.
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin partita \
    && install -d -o partita -g partita -m 0700 /data
COPY --from=build /out/bin/partita /usr/local/bin/partita
USER partita
VOLUME /data
EXPOSE 9000
# On SIGTERM the server accepts no more connections and finishes the requests in progress.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["partita", "health", "--data", "/data"]
ENTRYPOINT ["partita", "serve", "--data", "/data", "--listen", "0.0.0.0:9000"]
