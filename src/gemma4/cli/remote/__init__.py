"""`gemma4 chat`: the conversation of `gemma4 run`, with a model behind a URL."""
