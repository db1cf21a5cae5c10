"""Side-by-side measurements: ours and a peer interleaved in one run, results checked equal first."""
