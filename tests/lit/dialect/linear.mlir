// RUN: pyipu-opt %s | filecheck %s
// RUN: iree-opt --irdl-file=%irdl %s -o /dev/null

// Matrices in a batch; the leading dimensions broadcast.
// CHECK: "ipu.matmul"(%arg0, %arg1) : (tensor<2x1x3x4xf32>, tensor<5x4x6xf32>) -> tensor<2x5x3x6xf32>
func.func @matmul(%a: tensor<2x1x3x4xf32>, %b: tensor<5x4x6xf32>) -> tensor<2x5x3x6xf32> {
  %0 = "ipu.matmul"(%a, %b) : (tensor<2x1x3x4xf32>, tensor<5x4x6xf32>) -> tensor<2x5x3x6xf32>
  return %0 : tensor<2x5x3x6xf32>
}

// A contraction by its equation.
// CHECK: "ipu.einsum"(%arg0, %arg1) {equation = "ik,jk->ji"} : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<4x2xf32>
func.func @einsum(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>) -> tensor<4x2xf32> {
  %0 = "ipu.einsum"(%a, %b) {equation = "ik,jk->ji"} : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<4x2xf32>
  return %0 : tensor<4x2xf32>
}

// Two groups of channels times two blocks of eight columns each.
// CHECK: "ipu.packed_matmul"(%arg0, %arg1) : (tensor<5x6xf32>, tensor<2x2x3x8xf32>) -> tensor<5x32xf32>
func.func @packed_matmul(%a: tensor<5x6xf32>, %b: tensor<2x2x3x8xf32>) -> tensor<5x32xf32> {
  %0 = "ipu.packed_matmul"(%a, %b) : (tensor<5x6xf32>, tensor<2x2x3x8xf32>) -> tensor<5x32xf32>
  return %0 : tensor<5x32xf32>
}

// Two groups of channels times two blocks of eight columns, which are of both groups in turns.
// CHECK: "ipu.shuffled_matmul"(%arg0, %arg1) : (tensor<5x6xf32>, tensor<2x3x8xf32>) -> tensor<5x16xf32>
func.func @shuffled_matmul(%a: tensor<5x6xf32>, %b: tensor<2x3x8xf32>) -> tensor<5x16xf32> {
  %0 = "ipu.shuffled_matmul"(%a, %b) : (tensor<5x6xf32>, tensor<2x3x8xf32>) -> tensor<5x16xf32>
  return %0 : tensor<5x16xf32>
}
