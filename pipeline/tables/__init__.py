"""The published tables, one file each: rows for a contract from models and features. Tables never import tables."""
