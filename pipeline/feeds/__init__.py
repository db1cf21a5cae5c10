"""Landing the day's arrivals: a file of cleaning rules for each feed, quarantine with reasons, counts that add up."""
