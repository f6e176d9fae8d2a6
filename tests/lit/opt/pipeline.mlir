// RUN: pyipu-opt %s --pass-pipeline='cse,func.func(canonicalize)' | filecheck %s
// RUN: pyipu-opt %s --pass-pipeline=cse --print-ir-after-all --time-passes 2>&1 | filecheck %s --check-prefix=TRACE
// RUN: pyipu-opt %s --mlir-print-debuginfo | filecheck %s --check-prefix=LOCATION

// MLIR's passes run beside pyipu's.
// CHECK: return %arg0
// TRACE: // -----// IR after cse //----- //
// TRACE: ms {{.*}} %  cse
// TRACE: ms         total
// LOCATION: loc("conv1")
func.func @main(%a: index) -> index {
  %0 = arith.constant 0 : index
  %1 = arith.addi %a, %0 : index loc("conv1")
  return %1 : index
}
