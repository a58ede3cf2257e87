"""Every tensor of every model, from configuration alone: names, shapes, least precision."""
