"""Ollama's protocol: chat, generate, embeddings, and the models of the local store."""
