"""HTTP over `llm`: one file for each wire protocol, limits, keys, metrics, and the web page."""
