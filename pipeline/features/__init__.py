"""What models read: point-in-time splits, user and item aggregates, sequences, texts and baskets. Pure functions of feeds."""
