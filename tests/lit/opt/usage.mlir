// Wrong usage is one line on standard error behind the usage; no traceback.
// RUN: not pyipu-opt %s --pass-pipeline=ipu-nothing 2>&1 | filecheck %s --check-prefix=PASS
// RUN: not pyipu-opt %s --pass-pipeline='cse,canonicalize(' 2>&1 | filecheck %s --check-prefix=BRACKET
// RUN: not pyipu-opt %s.missing 2>&1 | filecheck %s --check-prefix=MISSING
// RUN: pyipu-opt --list-passes | filecheck %s --check-prefix=LIST

// PASS: pyipu-opt: error: there is no pass 'ipu-nothing'; pyipu has:
// BRACKET: pyipu-opt: error: the brackets of the pass pipeline 'cse,canonicalize(' do not match
// MISSING: pyipu-opt: error: cannot open {{.*}}usage.mlir.missing: No such file or directory
// LIST: ipu-canonicalize:
