"""Grouping on small graphs, written as nodes in program order."""

from pyipu.passes.planning.grouping import Kind, Node, form_groups

SHAPE = (1, 8, 8, 4)


def anchor(*operands, **more):
    return Node(Kind.ANCHOR, operands, SHAPE, **more)


def elementwise(*operands, shape=SHAPE, **more):
    return Node(Kind.ELEMENTWISE, operands, shape, **more)


def groups(*nodes):
    return [group.members for group in form_groups(nodes)]


def test_an_epilogue_joins_its_anchor():
    assert groups(anchor(), elementwise(0), elementwise(1)) == [(0, 1, 2)]


def test_a_residual_joins_the_first_of_both_and_runs_after_the_other():
    assert groups(anchor(), anchor(), elementwise(0, 1)) == [(1,), (0, 2)]


def test_a_value_read_twice_inside_the_epilogue_does_not_end_it():
    hard_swish = [anchor(), elementwise(0), elementwise(1), elementwise(0, 2)]
    assert groups(*hard_swish) == [(0, 1, 2, 3)]


def test_values_that_only_meet_outside_of_vertices_stay_apart():
    """Nodes of a cell: each adds two earlier values, and a concatenation takes all of them."""
    cell = [anchor(), elementwise(0, 0), elementwise(0, 1), Node(Kind.OUTSIDE, (1, 2), SHAPE)]
    assert groups(*cell) == [(0,), (1,), (2,)]


def test_a_value_that_another_anchor_reads_ends_the_group():
    assert groups(anchor(), elementwise(0), anchor(1), elementwise(1)) == [(0, 1), (2,), (3,)]


def test_a_returned_value_ends_the_group():
    assert groups(anchor(returned=True), elementwise(0, returned=True)) == [(0,), (1,)]


def test_another_shape_ends_the_group():
    assert groups(anchor(), elementwise(0, shape=(2, 8, 8, 4))) == [(0,), (1,)]


def test_an_op_that_stands_alone_takes_no_epilogue():
    assert groups(Node(Kind.ALONE, (), SHAPE), elementwise(0)) == [(0,), (1,)]


def test_movement_and_known_tensors_are_in_no_group():
    assert groups(Node(Kind.OUTSIDE, (), SHAPE), anchor(0), Node(Kind.OUTSIDE, (1,), SHAPE), anchor(2)) == [(1,), (3,)]


def test_a_gate_runs_with_what_it_lets_through():
    gated = [anchor(), anchor(), elementwise(0, inputs=1), elementwise(1, inputs=1), elementwise(2, 3, inputs=2)]
    gated += [Node(Kind.OUTSIDE, (0, 1), SHAPE)]
    assert groups(*gated) == [(0,), (1,), (2, 3, 4)]


def test_a_gate_of_another_shape_is_computed_once():
    gate = elementwise(0, shape=(1, 1, 1, 4), inputs=1)
    assert groups(anchor(), gate, elementwise(1, inputs=2), anchor(0)) == [(0,), (1,), (2,), (3,)]


def test_what_reads_two_tensors_does_not_wait_for_its_reader():
    """Else both of them would stay in memory while the anchor runs, instead of their sum."""
    sums = [elementwise(0, inputs=1), elementwise(0, 1, inputs=2), anchor(0, 1), elementwise(2, 3, inputs=2)]
    assert groups(anchor(), anchor(), *sums) == [(0,), (1,), (3,), (4,), (2, 5)]
