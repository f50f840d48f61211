# The light half behind `unmask serve`. Build: docker build --tag unmask . - run: see compose.yaml and docs/deploy.md.
FROM python:3.13-slim AS build
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE ./
COPY src src
RUN pip wheel --no-cache-dir --constraint constraints.txt --wheel-dir /wheels '.[c2pa]'

FROM python:3.13-slim
# No index is asked: the only version there is the one just built.
# hadolint ignore=DL3013
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --find-links /wheels 'unmask[c2pa]' \
    && useradd --system --no-create-home --uid 10001 unmask
# The server and the health check both go by this port: change it here (docker run --env), not with --port.
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 UNMASK_LISTEN_PORT=8000
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s \
    CMD ["python", "-c", \
         "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"UNMASK_LISTEN_PORT\"]}/healthz', timeout=3)"]
ENTRYPOINT ["unmask", "serve"]
# Without UNMASK_TOKEN in the environment this refuses to start, and says what to do.
CMD ["--host", "0.0.0.0"]
