"""`gemma4 serve` and the commands that look after a running server: ps, stop, logs."""
