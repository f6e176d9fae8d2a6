// RUN: pyipu-opt %s --split-input-file --verify-diagnostics
// RUN: not pyipu-opt %s --split-input-file 2>&1 | filecheck %s

// A comment may stand on the same line, above, or below; one line may have several diagnostics.
// CHECK: diagnostics.mlir:{{[0-9]+}}:10: error: use of value '%a' expects different type
func.func @main(%a: tensor<2xf32>) {  // expected-note {{prior use here}}
  return %a : tensor<3xf32>
  // expected-error@above {{expects different type than prior uses: 'tensor<3xf32>' vs 'tensor<2xf32>'}}
}

// -----

// MLIR's parser reports at the offending word.
func.func @main() {
  // expected-error@below {{custom op 'nonsense' is unknown}}
  nonsense
}

// -----

// A module that is well formed has no diagnostics.
func.func @main() {
  return
}
