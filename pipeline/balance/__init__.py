"""What balances consistency and personalisation: pure functions over lists and layouts; no files, no tables."""
