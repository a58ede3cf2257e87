"""Fast versions of the reference arithmetic: `native` for processors, `cuda` for GPUs."""
