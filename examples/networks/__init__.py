"""Networks that no package ships: their architectures in code, one file each, with seeded random weights."""
