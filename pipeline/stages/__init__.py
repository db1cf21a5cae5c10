"""The stages of a night, one file each: files in, pure functions, files out. `pipeline.nightly` has their order.

A stage is `run(night, item, recorder, progress) -> dict`: a small JSON-able summary. Run again, it gives the same.
"""
