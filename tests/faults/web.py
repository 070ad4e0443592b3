"""The web process of the tests with one fault planted: the one that the variable PLANTED names."""

import os

from config.gateway import application
from tests.faults import plants

__all__ = ["application"]

getattr(plants, os.environ["PLANTED"])(setattr)
