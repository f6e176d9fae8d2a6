// RUN: not pyipu-opt %s --split-input-file --verify-diagnostics 2>&1 | filecheck %s

// What is expected in vain is an error.
// CHECK: mismatch.mlir:5: error: expected warning "slow" was not produced
func.func @main() {  // expected-warning {{slow}}
  return
}

// -----

// What is not expected is an error.
// CHECK: mismatch.mlir:14:8: error: unexpected error: 'ipu.relu' op should have the result type tensor<2xf32>
func.func @main(%a: tensor<2xf32>) {
  %0 = "ipu.relu"(%a) : (tensor<2xf32>) -> tensor<3xf32>
  return
}

// -----

// An error of another severity does not count.
// CHECK: mismatch.mlir:25: error: expected remark "result type" was not produced
// CHECK: mismatch.mlir:25:8: error: unexpected error
func.func @main(%a: tensor<2xf32>) {
  // expected-remark@+1 {{result type}}
  %0 = "ipu.relu"(%a) : (tensor<2xf32>) -> tensor<3xf32>
  return
}
