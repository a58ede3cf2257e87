"""config.json, read strictly and written."""
