"""Published snapshots on disk: one writer, one atomic commit, one pinned reader. Not here: what the tables mean."""
