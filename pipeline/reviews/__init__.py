"""Sentiment of a bare file of reviews, without a shop: `files` reads it, `bench` learns, predicts and judges."""
