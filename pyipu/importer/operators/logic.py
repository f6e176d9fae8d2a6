"""Comparisons, truth values and choices."""

from __future__ import annotations

from pyipu.dialect import elementwise as ipu
from pyipu.importer.graph import GraphBuilder
from pyipu.importer.registry import Value, operator


@operator("Equal", since=7)
def equal(graph: GraphBuilder, a: Value, b: Value) -> Value:
    return graph.create(ipu.Equal, a, b)


@operator("Less", since=7)
def less(graph: GraphBuilder, a: Value, b: Value) -> Value:
    return graph.create(ipu.Less, a, b)


@operator("LessOrEqual", since=12)
def less_or_equal(graph: GraphBuilder, a: Value, b: Value) -> Value:
    return graph.create(ipu.LessOrEqual, a, b)


@operator("Greater", since=7)
def greater(graph: GraphBuilder, a: Value, b: Value) -> Value:
    return graph.create(ipu.Greater, a, b)


@operator("GreaterOrEqual", since=12)
def greater_or_equal(graph: GraphBuilder, a: Value, b: Value) -> Value:
    return graph.create(ipu.GreaterOrEqual, a, b)


@operator("And", since=7)
def and_(graph: GraphBuilder, a: Value, b: Value) -> Value:
    return graph.create(ipu.And, a, b)


@operator("Or", since=7)
def or_(graph: GraphBuilder, a: Value, b: Value) -> Value:
    return graph.create(ipu.Or, a, b)


@operator("Xor", since=7)
def xor(graph: GraphBuilder, a: Value, b: Value) -> Value:
    return graph.create(ipu.Xor, a, b)


@operator("Not")
def not_(graph: GraphBuilder, x: Value) -> Value:
    return graph.create(ipu.Not, x)


@operator("Where", since=9)
def where(graph: GraphBuilder, condition: Value, x: Value, y: Value) -> Value:
    return graph.create(ipu.Where, condition, x, y)


@operator("IsNaN", since=9)
def is_nan(graph: GraphBuilder, x: Value) -> Value:
    """Only NaN differs from itself."""
    return graph.create(ipu.Not, graph.create(ipu.Equal, x, x))
