"""Who a person is to the tables, what they agreed to, and how small an audience may be. Not here: erasure."""
