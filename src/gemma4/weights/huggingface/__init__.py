"""Hugging Face directories: safetensors, shards, packed 4-bit weights."""
