"""The models behind the tables, and the strong simple baselines scored beside them every night."""
