# The local Airflow and MLflow, for `make` and for a shell in the repository: `. ops/airflow.sh && airflow dags list`.
# shellcheck shell=sh
unset PYTHONDONTWRITEBYTECODE        # imports are twice as slow without bytecode
export PATH="$PWD/.venv/bin:$PATH"
export SHOPKEEL_HOME="${SHOPKEEL_HOME:-$PWD/var}"
export AIRFLOW_PORT="${AIRFLOW_PORT:-8080}" MLFLOW_PORT="${MLFLOW_PORT:-5000}"

export AIRFLOW_HOME="$SHOPKEEL_HOME/airflow"
export AIRFLOW__CORE__DAGS_FOLDER="${AIRFLOW__CORE__DAGS_FOLDER:-$PWD/dags}"
export AIRFLOW__CORE__LOAD_EXAMPLES=False
export AIRFLOW__CORE__PARALLELISM="${AIRFLOW__CORE__PARALLELISM:-2}"
export AIRFLOW__CORE__EXECUTION_API_SERVER_URL="http://127.0.0.1:$AIRFLOW_PORT/execution/"
export AIRFLOW__API__BASE_URL="http://127.0.0.1:$AIRFLOW_PORT"
export AIRFLOW__API__HOST=127.0.0.1 AIRFLOW__API__PORT="$AIRFLOW_PORT" AIRFLOW__API__WORKERS=1
export AIRFLOW__USAGE_DATA_COLLECTION__ENABLED=False

# Runs start by hand or by backfill: the packaged shop's days lie in the past, and the clock's day has no data.
# Without the clock Airflow 3.3.2 begins nothing by assets either.
export AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION=False
export AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE="${AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE:-False}"

export MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false MLFLOW_DISABLE_TELEMETRY=true
export GX_ANALYTICS_ENABLED=false
