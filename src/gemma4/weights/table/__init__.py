"""The declarative table of every tensor: names, shapes, least precision."""
