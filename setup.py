"""The one thing pyproject.toml cannot say: the folder ``configs`` of a checkout is the package ``rtseg.configs``."""

from setuptools import find_packages, setup

setup(packages=[*find_packages(include=["rtseg", "rtseg.*"]), "rtseg.configs"], package_dir={"rtseg.configs": "configs"})
