"""`gemma4 bench`: how fast a model is here."""
