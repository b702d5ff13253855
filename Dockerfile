# The monitor in one image: every process of a deployment is a command of it. Nothing in it is fetched while it runs.
FROM python:3.11.14-slim-bookworm AS built

# With the tools of the development lock, so that nothing unpinned takes part in the build either.
WORKDIR /build
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY monitor ./monitor
COPY streams ./streams
COPY alerts ./alerts
COPY dashboards ./dashboards
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels .

FROM python:3.11.14-slim-bookworm

# Everything a deployment keeps on disk lies in the volume; the process needs no other right than to write there.
RUN useradd --create-home --uid 10001 monitor && install --directory --owner monitor --mode 700 /data
WORKDIR /app

# The locked dependencies first: they change rarely, so that the layer is kept.
COPY requirements.run.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements.run.lock
COPY --from=built /wheels /wheels
RUN pip install --no-cache-dir --no-deps --no-index /wheels/*.whl

USER monitor
ENV MONITOR_DATA=/data PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 8450 8451
# That of what serves pages; a worker's is another one (docker-compose.yml).
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s CMD \
  ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8450/healthz', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["monitor"]
CMD ["up", "--host", "0.0.0.0"]
