"""Organs from images: training, inference, tidying, review."""
