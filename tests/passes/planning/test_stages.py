"""The figures of the memory certificate, on programs whose bytes can be counted by hand."""

import pytest

from pyipu.passes.planning.aliasing import Role, Step, Tensor
from pyipu.passes.planning.stages import Program, in_place_bytes, reuse_bytes, sum_bytes

INPUT = Tensor((4, 4), "f32", read_only=True)
SQUARE, TALL = Tensor((4, 4), "f32"), Tensor((8, 4), "f32")
TOP, BOTTOM = (((offset, 0), (4, 4), (1, 1)) for offset in (0, 4))


def compute(reads, *results, updatable=()):
    return Step(Role.COMPUTE, tuple(reads), results, updatable=tuple(updatable))


def program(tensors, steps, returned):
    return Program(tensors, [16 * tensor.shape[0] for tensor in tensors], steps, returned)


def figures(tensors, steps, returned, alignment=64):
    measured = program(tensors, steps, returned)
    return tuple(measure(measured, alignment) for measure in (sum_bytes, reuse_bytes, in_place_bytes))


def test_a_chain_reuses_bytes_and_runs_in_place_where_it_may():
    steps = [compute([0], 1), compute([1], 2, updatable=[1]), compute([2], 3), compute([3], 4)]
    assert figures([INPUT, *[SQUARE] * 4], steps, [4]) == (3 * 64, 2 * 64, 2 * 64)
    assert figures([INPUT, *[SQUARE] * 3], [*steps[:2], compute([2], 3)], [3]) == (2 * 64, 2 * 64, 64)


def test_parts_lie_inside_of_a_concatenation():
    steps = [compute([0], 1), compute([0], 2), Step(Role.CONCAT, (1, 2), (3,), (TOP, BOTTOM)), compute([3], 4)]
    assert figures([INPUT, SQUARE, SQUARE, TALL, SQUARE], steps, [4]) == (256, 256, 128)


def test_a_whole_that_is_alive_from_its_first_part_on_can_cost_more_than_copies():
    """The first part waits while values of 128 bytes come and go: 64 + 2 * 128 with copies, 3 * 128 without."""
    tensors = [INPUT, SQUARE, TALL, TALL, SQUARE, TALL, SQUARE]
    concat = Step(Role.CONCAT, (1, 4), (5,), (TOP, BOTTOM))
    steps = [compute([0], 1), compute([0], 2), compute([2], 3), compute([3], 4), concat, compute([5], 6)]
    assert figures(tensors, steps, [6]) == (64 + 128 + 128 + 64 + 128, 64 + 256, 128 + 256)


def test_slices_and_paddings_are_copies_unless_they_are_views():
    for role, source, result in ((Role.SLICE, TALL, SQUARE), (Role.PAD, SQUARE, TALL)):
        steps = [compute([0], 1), Step(role, (1,), (2,), (TOP,)), compute([2], 3)]
        assert figures([INPUT, source, result, SQUARE], steps, [3]) == (192, 192, 128)


def test_a_reshape_is_its_operand():
    steps = [compute([0], 1), Step(Role.RESHAPE, (1,), (2,)), compute([2], 3)]
    assert figures([INPUT, SQUARE, Tensor((2, 8), "f32"), SQUARE], steps, [3]) == (64, 64, 64)


def test_a_result_that_is_part_of_a_buffer_is_copied_out_of_it_at_the_end():
    steps = [compute([0], 1), Step(Role.SLICE, (1,), (2,), (TOP,)), compute([0], 3), compute([3], 4)]
    assert figures([INPUT, TALL, SQUARE, TALL, SQUARE], steps, [2, 4]) == (256, 128, 256)


def test_inputs_and_what_is_returned_do_not_count():
    assert figures([INPUT, SQUARE], [compute([0], 1)], [1]) == (0, 0, 0)
    assert figures([INPUT], [], [0]) == (0, 0, 0)


@pytest.mark.parametrize(("alignment", "rounded"), [(1, 64), (64, 64), (256, 256)])
def test_sizes_are_rounded_up_to_the_alignment(alignment, rounded):
    steps = [compute([0], 1), compute([1], 2)]
    assert figures([INPUT, SQUARE, SQUARE], steps, [2], alignment) == (rounded,) * 3
