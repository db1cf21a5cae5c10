"""Make the platform's buckets in the object store that the environment names; those that stand stay as they are."""

import fsspec  # type: ignore[import-untyped]

BUCKETS = ("mlflow", "snapshots")


def main() -> None:
    """Make each one."""
    store = fsspec.filesystem("s3", skip_instance_cache=True)
    for bucket in BUCKETS:
        store.makedirs(bucket, exist_ok=True)


if __name__ == "__main__":
    main()
