# One image for every process of ours; which one it is, the command says. Built by `docker compose build`.
ARG PYTHON_IMAGE=python:3.11.15-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
WORKDIR /app
# Wheels alone, but for one package of plain Python that has none: no compiler is needed.
COPY requirements.lock ./
RUN python -m venv /opt/billbus \
 && /opt/billbus/bin/pip install --no-cache-dir --disable-pip-version-check --only-binary=:all: --no-binary=cloudpayments \
        --require-hashes --requirement requirements.lock \
 && /opt/billbus/bin/pip uninstall --yes --disable-pip-version-check pip setuptools
COPY . ./
# Root's and readable by all, whatever the checkout's modes were; compiled here, where it can still be written.
RUN printf '#!/opt/billbus/bin/python\nfrom cli.main import main\n\nmain()\n' > /opt/billbus/bin/billbus \
 && chmod 0755 /opt/billbus/bin/billbus \
 && chmod -R u=rwX,go=rX /app \
 && /opt/billbus/bin/python -m compileall -q --invalidation-mode unchecked-hash /app

FROM ${PYTHON_IMAGE}
ARG BILLBUS_VERSION=0.1.0
LABEL org.opencontainers.image.title="Billbus" \
      org.opencontainers.image.description="Self-hosted billing on explicit state machines" \
      org.opencontainers.image.version="${BILLBUS_VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0"
# The folders are where volumes are mounted: a new volume takes owner and mode from here. The broker reads what is
# in /definitions, so that one is open.
RUN groupadd --gid 10001 billbus \
 && useradd --uid 10001 --gid 10001 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin billbus \
 && install --directory --owner=10001 --group=10001 --mode=0755 /definitions \
 && install --directory --owner=10001 --group=10001 --mode=0700 /backups /certificates /acme /state
COPY --from=build /opt/billbus /opt/billbus
COPY --from=build /app /app
ENV PATH=/opt/billbus/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/app \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    BILLBUS_VERSION=${BILLBUS_VERSION} \
    HOME=/tmp
WORKDIR /app
USER 10001:10001
# Each process is asked for its health in its own way: docker-compose.yml says how.
HEALTHCHECK NONE
CMD ["billbus", "--help"]
