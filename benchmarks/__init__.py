"""Measurements behind the figures in docs; each module is one command."""
