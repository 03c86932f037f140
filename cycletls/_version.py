"""The one home of the version; the build, the library and the docs read it here."""

__version__ = "1.0.0"
