-- Beside Airflow's database, which the image makes, MLflow's own.
CREATE DATABASE mlflow;
