"""`gemma4 run` on a terminal: a conversation and its commands."""
