"""rtseg: a planning CT becomes a synthetic MR, the two become organs, the organs become a structure set."""

__version__ = "0.1.0"
