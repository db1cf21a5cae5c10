#!/bin/sh
# A Spark Connect server, for the profile spark of docker-compose.yml; clients show the token of .env.
set -eu
export SPARK_CONNECT_AUTHENTICATE_TOKEN="$SPARK_TOKEN"
spark=$(python -c 'import pathlib, pyspark; print(pathlib.Path(pyspark.__file__).parent)')
exec "$spark/bin/spark-submit" --class org.apache.spark.sql.connect.service.SparkConnectServer \
  --conf spark.connect.grpc.binding.address=0.0.0.0 --conf spark.ui.enabled=false spark-internal
