"""Regenerating reports through papermill: checked parameters, whole or not at all."""
