"""What holds for every test: Airflow's home is a throw-away one, set before any module imports Airflow, and empty."""

import atexit
import os
import shutil
import tempfile

_home = tempfile.mkdtemp(prefix="shopkeel-airflow-")
atexit.register(shutil.rmtree, _home, ignore_errors=True)
os.environ.update(AIRFLOW_HOME=_home, AIRFLOW__CORE__LOAD_EXAMPLES="False")
