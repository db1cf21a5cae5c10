#!/bin/sh
# Runs once before Airflow's services in docker-compose.yml: the schema, the pool for training, the buckets, the folder
# of shops, the login.
set -eu
mkdir -p "$SHOPKEEL_SHOPS"
airflow db migrate
airflow pools set gpu 1 "training, one task at a time"
python /app/ops/buckets.py
umask 077
python -c 'import json, os; print(json.dumps({"admin": os.environ["AIRFLOW_ADMIN_PASSWORD"]}))' \
  > "$AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"
