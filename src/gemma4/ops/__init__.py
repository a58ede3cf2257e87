"""Pure functions on tensors: the reference arithmetic. Modules hold weights and call these."""
