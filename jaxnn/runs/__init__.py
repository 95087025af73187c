"""A run on disk: its folder, its checkpoints, its manifest, and how it is read back."""
