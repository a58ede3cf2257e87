"""Text to token ids and back: the tokenizer from either file format, and the one inside the package."""
