"""Adapters: each turns one source into rows of the feed contracts. A shop's settings stand beside its adapter."""
