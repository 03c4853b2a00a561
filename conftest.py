"""Notebooks below this folder are compared figures included; see tests/figures.py."""

from figures import pytest_configure

__all__ = ["pytest_configure"]
