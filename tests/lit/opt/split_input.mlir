// RUN: pyipu-opt %s --split-input-file | filecheck %s
// RUN: pyipu-opt - --split-input-file < %s | filecheck %s
// RUN: pyipu-opt %s --split-input-file -o %t && filecheck %s < %t

// Two modules may define the same name; the output is joined as the input was.
// CHECK-LABEL: func.func @main() {
// CHECK: // -----
// CHECK-NEXT: module {
// CHECK-NEXT: func.func @main(%arg0: tensor<2xf32>) {
func.func @main() {
  return
}

// -----

func.func @main(%a: tensor<2xf32>) {
  return
}
