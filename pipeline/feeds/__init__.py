"""Landing the day's arrivals: each feed's cleaning rules in a file of its name, quarantine with reasons, counts that add up."""
