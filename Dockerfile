# The embedded monitor in one image: `docker compose up` starts it. Nothing in it is fetched while it runs.
FROM python:3.11-slim

# Everything a deployment keeps lies in the volume; the process needs no other right than to write there.
RUN useradd --create-home --uid 10001 monitor && install --directory --owner monitor /data
WORKDIR /app

# The locked dependencies first: they change rarely, so that the layer is kept.
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock

COPY pyproject.toml README.md LICENSE ./
COPY monitor ./monitor
COPY streams ./streams
COPY alerts ./alerts
COPY dashboards ./dashboards
RUN pip install --no-cache-dir --no-deps --no-build-isolation .

USER monitor
ENV MONITOR_DATA=/data PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 8450
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s CMD \
  ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8450/healthz', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["monitor"]
CMD ["up", "--host", "0.0.0.0"]
