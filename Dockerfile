# gobridge on a Python image: what the image of an application begins with (docs/containers.md).
#
#     docker build -t gobridge .
#
# Both base images are of one release of Debian: a binary that was linked on a newer one may not
# start on an older one. Other versions of Python, or a Python of Debian's own, by
# --build-arg PYTHON_IMAGE=... These names move on with the security updates of what they name; to have the same again
# whenever it is built, add a digest: PYTHON_IMAGE=python:3.13-slim-bookworm@sha256:...
ARG GO_IMAGE=golang:1.26-bookworm
ARG PYTHON_IMAGE=python:3.13-slim-bookworm

FROM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# There is no git in a build context to ask for it.
ARG VERSION
RUN make binary VERSION=$VERSION

FROM ${PYTHON_IMAGE}
# The interpreter host's library lies beside the executable, which then need not write it into a
# folder for temporary files at a start: there may be none, or one from which nothing may be loaded.
COPY --from=build /src/bin/gobridge /src/pyhost/lib/gobridge-host.so /src/LICENSE /usr/local/lib/gobridge/
# /venv is the user's, so that an application's image can install packages as that user. So is
# /run/gobridge, for sockets: a volume that is mounted there takes over whose it is.
RUN ln -s ../lib/gobridge/gobridge /usr/local/bin/gobridge \
    && groupadd --gid 10001 gobridge \
    && useradd --uid 10001 --gid gobridge --create-home --shell /usr/sbin/nologin gobridge \
    && python3 -m venv /venv \
    && chown -R gobridge:gobridge /venv \
    && install -d -o gobridge -g gobridge /app /run/gobridge
ENV VIRTUAL_ENV=/venv \
    PATH=/venv/bin:$PATH \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONUNBUFFERED=1 \
    GOBRIDGE_BIND=:8000
WORKDIR /app
# By number: Kubernetes cannot tell of a name that it is not root's.
USER 10001:10001
EXPOSE 8000
# Healthy: the server serves, its last reload went well, and no requests wait of which the workers
# have begun none for ten seconds.
HEALTHCHECK --interval=10s --timeout=30s --start-period=2m --retries=3 \
    CMD ["gobridge", "status", "--stuck-after", "10s"]
# Whatever the Python image has: at this signal what is running is finished.
STOPSIGNAL SIGTERM
# gobridge is process 1 and does what that has to: no init beside it is needed.
CMD ["gobridge", "run", "app:app"]
# Last, so that another version is no reason to make the rest anew.
ARG VERSION
LABEL org.opencontainers.image.title=gobridge \
      org.opencontainers.image.description="A server for Python web applications" \
      org.opencontainers.image.licenses=MIT \
      org.opencontainers.image.version=$VERSION
