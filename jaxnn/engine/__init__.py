"""The host side of one compiled run: compile it, drive it in chunks, watch it for NaN."""
