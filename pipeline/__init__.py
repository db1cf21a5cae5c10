"""Shopkeel: the nightly retrain of a shop's tables, with consistency and personalisation in balance."""
