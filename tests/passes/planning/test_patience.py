"""When a search ends: when all is spent, or once it waited for a gain for too long."""

from pyipu.passes.planning.patience import Patience


def test_without_a_gain_it_waits_for_the_least():
    patience = Patience(most=10.0, least=2.0)
    patience.spend(1.5)
    assert not patience.is_over
    patience.spend(0.5)
    assert patience.is_over


def test_after_gains_it_waits_for_as_long_as_they_took():
    patience = Patience(most=10.0, least=1.0)
    for seconds in (0.75, 0.5, 1.0):
        patience.spend(seconds)
        assert not patience.is_over
        patience.gain()
    assert patience.end == 4.5


def test_the_most_ends_it_in_any_case():
    patience = Patience(most=3.0, least=2.0)
    patience.spend(2.0)
    patience.gain()
    assert patience.end == 3.0
