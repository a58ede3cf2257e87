"""Tools from Python functions and JSON Schema."""
