"""GGUF metadata as configuration."""
