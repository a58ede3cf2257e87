"""GGUF files: read strictly, named and laid out as the model wants them."""
