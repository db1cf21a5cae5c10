"""Measures of models and lists: pure functions of arrays. Not here: anything that reads data or judges a figure."""
