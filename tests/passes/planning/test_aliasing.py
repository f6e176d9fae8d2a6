"""Aliasing on small programs: what shares memory, and why something does not."""

import time

import pytest

from pyipu.passes.planning.aliasing import Role, Step, Tensor, plan_aliasing

IMAGE = Tensor((1, 4, 4, 8), "f32")
INPUT = Tensor((1, 4, 4, 8), "f32", read_only=True)
ONES = (1, 1, 1, 1)


def compute(reads, result, updatable=()):
    return Step(Role.COMPUTE, tuple(reads), (result,), updatable=tuple(updatable))


def concat(reads, result, sizes):
    places, position = [], 0
    for size in sizes:
        places.append(((0, 0, 0, position), (1, 4, 4, size), ONES))
        position += size
    return Step(Role.CONCAT, tuple(reads), (result,), tuple(places))


def pad(source, result):
    return Step(Role.PAD, (source,), (result,), (((0, 1, 1, 0), (1, 4, 4, 8), ONES),))


def reasons(plan):
    return [refusal.reason for refusal in plan.refusals]


def test_a_result_takes_the_bytes_of_a_dying_operand():
    plan = plan_aliasing([INPUT, IMAGE, IMAGE], [compute([0], 1), compute([1], 2, [1])], [2])
    assert plan.in_place == {1: 1}
    assert plan.storage_of[1] == plan.storage_of[2]


def test_an_operand_that_is_read_later_is_not_overwritten():
    steps = [compute([0], 1), compute([1], 2, [1]), compute([1, 2], 3)]
    plan = plan_aliasing([INPUT, IMAGE, IMAGE, IMAGE], steps, [3])
    assert plan.in_place == {}
    assert reasons(plan) == ["it is still read later"]


def test_an_input_of_the_network_is_not_overwritten():
    plan = plan_aliasing([INPUT, IMAGE], [compute([0], 1, [0])], [1])
    assert reasons(plan) == ["it is an input of the network or a parameter"]


def test_a_view_of_the_operand_that_is_read_later_keeps_it():
    steps = [
        compute([0], 1),
        Step(Role.RESHAPE, (1,), (2,)),
        compute([1], 3, [1]),
        compute([2, 3], 4),
    ]
    plan = plan_aliasing([INPUT, IMAGE, Tensor((16, 8), "f32"), IMAGE, IMAGE], steps, [4])
    assert 2 not in plan.in_place
    assert plan.storage_of[1] == plan.storage_of[2]


def test_a_vertex_that_reads_the_buffer_in_another_way_too_does_not_overwrite_it():
    steps = [compute([0], 1), Step(Role.RESHAPE, (1,), (2,)), compute([1, 2], 3, [1])]
    plan = plan_aliasing([INPUT, IMAGE, Tensor((16, 8), "f32"), IMAGE], steps, [3])
    assert "the same vertex reads the buffer in another way, too" in reasons(plan)


def test_concatenated_tensors_are_produced_in_place():
    whole = Tensor((1, 4, 4, 16), "f32")
    plan = plan_aliasing(
        [INPUT, IMAGE, IMAGE, whole], [compute([0], 1), compute([0], 2), concat([1, 2], 3, (8, 8))], [3]
    )
    assert plan.copies == frozenset()
    assert plan.region(2).offsets == (0, 0, 0, 8)
    assert len({plan.storage_of[v] for v in (1, 2, 3)}) == 1


def test_a_tensor_concatenated_twice_is_copied_once():
    whole = Tensor((1, 4, 4, 16), "f32")
    plan = plan_aliasing([INPUT, IMAGE, whole], [compute([0], 1), concat([1, 1], 2, (8, 8))], [2])
    assert plan.copies == {(1, 1)}
    assert reasons(plan) == ["it already lies in that buffer"]


def test_concatenations_nest_as_in_a_dense_block():
    tensors = [INPUT, IMAGE, IMAGE, Tensor((1, 4, 4, 16), "f32"), IMAGE, Tensor((1, 4, 4, 24), "f32")]
    steps = [
        compute([0], 1),
        compute([0], 2),
        concat([1, 2], 3, (8, 8)),
        compute([3], 4),
        concat([3, 4], 5, (16, 8)),
    ]
    plan = plan_aliasing(tensors, steps, [5])
    assert plan.copies == frozenset()
    assert [plan.region(v).offsets[3] for v in (1, 2, 3, 4, 5)] == [0, 8, 0, 16, 0]
    assert plan.region(1).whole == (1, 4, 4, 24)


def test_a_padded_tensor_is_produced_inside_its_border():
    padded = Tensor((1, 6, 6, 8), "f32")
    plan = plan_aliasing([INPUT, IMAGE, padded], [compute([0], 1), pad(1, 2)], [2])
    assert plan.region(1).offsets == (0, 1, 1, 0)
    assert plan.region(1).whole == (1, 6, 6, 8)


def test_an_input_of_the_network_is_copied_inside_a_border():
    plan = plan_aliasing([INPUT, Tensor((1, 6, 6, 8), "f32")], [pad(0, 1)], [1])
    assert plan.copies == {(0, 0)}


def test_a_tensor_padded_twice_is_copied_the_second_time():
    padded = Tensor((1, 6, 6, 8), "f32")
    steps = [compute([0], 1), pad(1, 2), pad(1, 3), compute([2, 3], 4)]
    plan = plan_aliasing([INPUT, IMAGE, padded, padded, IMAGE], steps, [4])
    assert plan.copies == {(2, 0)}
    assert reasons(plan) == ["it is a part of another buffer"]


def test_a_copied_reshape_cannot_be_a_part_in_which_its_operand_is_in_pieces():
    """Rows of three elements are written to rows of six, and would have to be inside of rows of seven."""
    whole, part, rows = (Tensor(shape, "f32") for shape in ((4, 4), (4, 3), (2, 6)))
    cut = Step(Role.SLICE, (1,), (2,), (((0, 0), (4, 3), (1, 1)),))
    widen = Step(Role.PAD, (3,), (4,), (((1, 1), (2, 6), (1, 1)),))
    steps = [compute([0], 1), cut, Step(Role.RESHAPE, (2,), (3,)), widen, compute([4], 5)]
    plan = plan_aliasing([INPUT, whole, part, rows, Tensor((4, 7), "f32"), whole], steps, [5])
    assert plan.copies == {(2, 0), (3, 0)}
    assert "what is copied to it would not be in one piece" in reasons(plan)


def test_a_reshaped_tensor_cannot_be_a_strided_part():
    flat, whole = Tensor((16, 8), "f32"), Tensor((1, 4, 4, 16), "f32")
    steps = [compute([0], 1), Step(Role.RESHAPE, (1,), (2,)), compute([0], 3), concat([2, 3], 4, (8, 8))]
    plan = plan_aliasing([INPUT, flat, IMAGE, IMAGE, whole], steps, [4])
    assert plan.copies == {(3, 0)}
    assert "its elements would not be in one piece" in reasons(plan)


def test_a_slice_is_a_view_and_its_reshape_is_copied_unless_in_one_piece():
    half = Tensor((1, 4, 4, 4), "f32")
    steps = [
        compute([0], 1),
        Step(Role.SLICE, (1,), (2,), (((0, 0, 0, 4), (1, 4, 4, 4), ONES),)),
        Step(Role.RESHAPE, (2,), (3,)),
    ]
    plan = plan_aliasing([INPUT, IMAGE, half, Tensor((64,), "f32")], steps, [3])
    assert plan.region(2).offsets == (0, 0, 0, 4)
    assert plan.copies == {(2, 0)}


@pytest.mark.parametrize("granularity", [1, 16])
def test_a_result_of_the_network_is_not_moved_into_another_buffer(granularity):
    whole = Tensor((1, 4, 4, 16), "f32")
    steps = [compute([0], 1), compute([0], 2), concat([1, 2], 3, (8, 8))]
    plan = plan_aliasing([INPUT, IMAGE, IMAGE, whole], steps, [1, 3], granularity)
    assert plan.copies == {(2, 0)}
    assert reasons(plan) == ["it is a result of the network"]


def test_a_long_chain_of_updates_takes_time_in_proportion_to_its_length():
    count = 20_000
    steps = [compute([i], i + 1, [i]) for i in range(count)]
    began = time.process_time()
    plan = plan_aliasing([INPUT, *[IMAGE] * count], steps, [count])
    assert time.process_time() - began < 5
    assert len(plan.in_place) == count - 1 and len(plan.storages) == 2
