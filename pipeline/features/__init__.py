"""What models read: time cuts, user and item aggregates, sequences, texts, baskets. Pure functions of feeds."""
