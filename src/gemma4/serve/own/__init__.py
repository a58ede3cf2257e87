"""Routes of no other protocol: health, tokens, properties, metrics, tools."""
