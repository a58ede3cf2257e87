"""`gemma4 run`: which model, which prompt, one answer."""
