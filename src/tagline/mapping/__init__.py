"""Mappings: ordinary typed functions in a fixed shape, which tools read from their syntax trees."""

from tagline.mapping.function import MappingFunction, mapping
from tagline.mapping.rule import Rule

__all__ = ["MappingFunction", "Rule", "mapping"]
