"""The methods (systems/) and body sites (tasks/) that ship with rtseg, as YAML: the package rtseg.configs, see setup.py."""
