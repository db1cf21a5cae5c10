"""Promises looked at again in the staged night, by other means than the code that keeps them."""
