"""The version, read by the build, too."""

__version__ = "1.0.0"
