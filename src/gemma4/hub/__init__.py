"""Names, downloads and the local store. Knows nothing of tensors, text or the terminal."""
