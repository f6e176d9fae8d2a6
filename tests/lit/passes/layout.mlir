// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-layout | filecheck %s
// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-layout --remarks 2>&1 | filecheck %s --check-prefix=REMARK

// A transpose sinks through an element-wise op and cancels.
// CHECK-LABEL: @cancel
// CHECK-NEXT: %[[RELU:.*]] = "ipu.relu"(%arg0)
// CHECK-NEXT: return %[[RELU]]
func.func @cancel(%x: tensor<1x8x9x3xf32>) -> tensor<1x8x9x3xf32> {
  %0 = "ipu.transpose"(%x) {permutation = array<i64: 0, 3, 1, 2>} : (tensor<1x8x9x3xf32>) -> tensor<1x3x8x9xf32>
  %1 = "ipu.relu"(%0) : (tensor<1x3x8x9xf32>) -> tensor<1x3x8x9xf32>
  %2 = "ipu.transpose"(%1) {permutation = array<i64: 0, 2, 3, 1>} : (tensor<1x3x8x9xf32>) -> tensor<1x8x9x3xf32>
  return %2 : tensor<1x8x9x3xf32>
}

// -----

// Known operands, of any rank, are transposed at compile time.
// CHECK-LABEL: @known
// CHECK-NEXT: dense<[{{\[\[\[}}1.000000e+00, 2.000000e+00, 3.000000e+00]]]]> : tensor<1x1x1x3xf32>
// CHECK-NEXT: "ipu.multiply"(%arg0
// CHECK-NEXT: "ipu.transpose"
func.func @known(%x: tensor<1x8x9x3xf32>) -> tensor<1x3x8x9xf32> {
  %s = "ipu.constant"() {value = dense<[[[1.0]], [[2.0]], [[3.0]]]> : tensor<3x1x1xf32>} : () -> tensor<3x1x1xf32>
  %0 = "ipu.transpose"(%x) {permutation = array<i64: 0, 3, 1, 2>} : (tensor<1x8x9x3xf32>) -> tensor<1x3x8x9xf32>
  %1 = "ipu.multiply"(%0, %s) : (tensor<1x3x8x9xf32>, tensor<3x1x1xf32>) -> tensor<1x3x8x9xf32>
  return %1 : tensor<1x3x8x9xf32>
}

// -----

// Two operands that are transposed alike sink as one.
// CHECK-LABEL: @residual
// CHECK-NEXT: %[[SUM:.*]] = "ipu.add"(%arg0, %arg1)
// CHECK-NEXT: "ipu.transpose"(%[[SUM]])
// CHECK-NEXT: return
func.func @residual(%x: tensor<2x8x3xf32>, %y: tensor<2x8x3xf32>) -> tensor<2x3x8xf32> {
  %0 = "ipu.transpose"(%x) {permutation = array<i64: 0, 2, 1>} : (tensor<2x8x3xf32>) -> tensor<2x3x8xf32>
  %1 = "ipu.transpose"(%y) {permutation = array<i64: 0, 2, 1>} : (tensor<2x8x3xf32>) -> tensor<2x3x8xf32>
  %2 = "ipu.add"(%0, %1) : (tensor<2x3x8xf32>, tensor<2x3x8xf32>) -> tensor<2x3x8xf32>
  return %2 : tensor<2x3x8xf32>
}

// -----

// An operand in another order is in the way.
// CHECK-LABEL: @mixed
// CHECK-NEXT: "ipu.transpose"(%arg0)
// CHECK-NEXT: "ipu.add"
// REMARK: remark: ipu-layout: a transpose of tensor<2x8x3xf32> stays: it is taken by ipu.add
func.func @mixed(%x: tensor<2x8x3xf32>, %y: tensor<2x3x8xf32>) -> tensor<2x3x8xf32> {
  %0 = "ipu.transpose"(%x) {permutation = array<i64: 0, 2, 1>} : (tensor<2x8x3xf32>) -> tensor<2x3x8xf32>
  %1 = "ipu.add"(%0, %y) : (tensor<2x3x8xf32>, tensor<2x3x8xf32>) -> tensor<2x3x8xf32>
  return %1 : tensor<2x3x8xf32>
}

// -----

// A gate of one number per channel is a view in any order: squeeze-and-excitation.
// CHECK-LABEL: @gate
// CHECK-NEXT: "ipu.multiply"(%arg0, %arg1) : (tensor<1x8x9x3xf32>, tensor<1x1x1x3xf32>)
// CHECK-NEXT: return
func.func @gate(%x: tensor<1x8x9x3xf32>, %y: tensor<1x1x1x3xf32>) -> tensor<1x8x9x3xf32> {
  %0 = "ipu.transpose"(%x) {permutation = array<i64: 0, 3, 1, 2>} : (tensor<1x8x9x3xf32>) -> tensor<1x3x8x9xf32>
  %1 = "ipu.reshape"(%y) {shape = array<i64: 1, 3, 1, 1>} : (tensor<1x1x1x3xf32>) -> tensor<1x3x1x1xf32>
  %2 = "ipu.multiply"(%0, %1) : (tensor<1x3x8x9xf32>, tensor<1x3x1x1xf32>) -> tensor<1x3x8x9xf32>
  %3 = "ipu.transpose"(%2) {permutation = array<i64: 0, 2, 3, 1>} : (tensor<1x3x8x9xf32>) -> tensor<1x8x9x3xf32>
  return %3 : tensor<1x8x9x3xf32>
}

// -----

// A concatenation's axis moves along; so do the axes of a reduction, and the transpose of its small result is a view.
// CHECK-LABEL: @axes
// CHECK-NEXT: "ipu.concat"(%arg0, %arg0) {axis = 3
// CHECK-NEXT: "ipu.reduce_sum"{{.*}}axes = array<i64: 1, 2>
// CHECK-NEXT: "ipu.reshape"{{.*}}shape = array<i64: 1, 6, 1, 1>
func.func @axes(%x: tensor<1x8x9x3xf32>) -> tensor<1x6x1x1xf32> {
  %0 = "ipu.transpose"(%x) {permutation = array<i64: 0, 3, 1, 2>} : (tensor<1x8x9x3xf32>) -> tensor<1x3x8x9xf32>
  %1 = "ipu.concat"(%0, %0) {axis = 1 : i64} : (tensor<1x3x8x9xf32>, tensor<1x3x8x9xf32>) -> tensor<1x6x8x9xf32>
  %2 = "ipu.reduce_sum"(%1) {axes = array<i64: 2, 3>, keep = true} : (tensor<1x6x8x9xf32>) -> tensor<1x6x1x1xf32>
  return %2 : tensor<1x6x1x1xf32>
}

// -----

// Images to sequences: the reshape merges what the transpose keeps together, and both transposes cancel.
// CHECK-LABEL: @sequence
// CHECK-NEXT: "ipu.reshape"(%arg0) {shape = array<i64: 1, 72, 3>}
// CHECK-NEXT: return
func.func @sequence(%x: tensor<1x8x9x3xf32>) -> tensor<1x72x3xf32> {
  %0 = "ipu.transpose"(%x) {permutation = array<i64: 0, 3, 1, 2>} : (tensor<1x8x9x3xf32>) -> tensor<1x3x8x9xf32>
  %1 = "ipu.reshape"(%0) {shape = array<i64: 1, 3, 72>} : (tensor<1x3x8x9xf32>) -> tensor<1x3x72xf32>
  %2 = "ipu.transpose"(%1) {permutation = array<i64: 0, 2, 1>} : (tensor<1x3x72xf32>) -> tensor<1x72x3xf32>
  return %2 : tensor<1x72x3xf32>
}

// -----

// ShuffleNet's channel shuffle is one transpose of the last two dimensions.
// CHECK-LABEL: @shuffle
// CHECK-NEXT: "ipu.reshape"(%arg0) {shape = array<i64: 1, 8, 9, 2, 3>}
// CHECK-NEXT: "ipu.transpose"{{.*}}permutation = array<i64: 0, 1, 2, 4, 3>
// CHECK-NEXT: "ipu.reshape"{{.*}}shape = array<i64: 1, 8, 9, 6>
// CHECK-NEXT: return
func.func @shuffle(%x: tensor<1x8x9x6xf32>) -> tensor<1x8x9x6xf32> {
  %0 = "ipu.transpose"(%x) {permutation = array<i64: 0, 3, 1, 2>} : (tensor<1x8x9x6xf32>) -> tensor<1x6x8x9xf32>
  %1 = "ipu.reshape"(%0) {shape = array<i64: 1, 2, 3, 8, 9>} : (tensor<1x6x8x9xf32>) -> tensor<1x2x3x8x9xf32>
  %2 = "ipu.transpose"(%1) {permutation = array<i64: 0, 2, 1, 3, 4>} : (tensor<1x2x3x8x9xf32>) -> tensor<1x3x2x8x9xf32>
  %3 = "ipu.reshape"(%2) {shape = array<i64: 1, 6, 8, 9>} : (tensor<1x3x2x8x9xf32>) -> tensor<1x6x8x9xf32>
  %4 = "ipu.transpose"(%3) {permutation = array<i64: 0, 2, 3, 1>} : (tensor<1x6x8x9xf32>) -> tensor<1x8x9x6xf32>
  return %4 : tensor<1x8x9x6xf32>
}

// -----

// A classifier after flattening: the rows of its weights are permuted instead of the image.
// CHECK-LABEL: @flatten
// CHECK-NEXT: %[[FLAT:.*]] = "ipu.reshape"(%arg0) {shape = array<i64: 1, 24>}
// CHECK-NEXT: %[[WEIGHTS:.*]] = "ipu.parameter"() {key = "w.reshape.transpose.reshape"} : () -> tensor<24x5xf32>
// CHECK-NEXT: "ipu.matmul"(%[[FLAT]], %[[WEIGHTS]])
func.func @flatten(%x: tensor<1x2x4x3xf32>) -> tensor<1x5xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<24x5xf32>
  %0 = "ipu.transpose"(%x) {permutation = array<i64: 0, 3, 1, 2>} : (tensor<1x2x4x3xf32>) -> tensor<1x3x2x4xf32>
  %1 = "ipu.reshape"(%0) {shape = array<i64: 1, 24>} : (tensor<1x3x2x4xf32>) -> tensor<1x24xf32>
  %2 = "ipu.matmul"(%1, %w) : (tensor<1x24xf32>, tensor<24x5xf32>) -> tensor<1x5xf32>
  return %2 : tensor<1x5xf32>
}

// -----

// Attention: heads are split off, multiplied and joined again in the letters of an einsum.
// CHECK-LABEL: @attention
// CHECK-NEXT: "ipu.einsum"(%arg0, %arg1) {equation = "acbd,aebd->abce"}
// CHECK-NEXT: return
func.func @attention(%q: tensor<1x7x2x4xf32>, %k: tensor<1x7x2x4xf32>) -> tensor<1x2x7x7xf32> {
  %0 = "ipu.transpose"(%q) {permutation = array<i64: 0, 2, 1, 3>} : (tensor<1x7x2x4xf32>) -> tensor<1x2x7x4xf32>
  %1 = "ipu.transpose"(%k) {permutation = array<i64: 0, 2, 3, 1>} : (tensor<1x7x2x4xf32>) -> tensor<1x2x4x7xf32>
  %2 = "ipu.matmul"(%0, %1) : (tensor<1x2x7x4xf32>, tensor<1x2x4x7xf32>) -> tensor<1x2x7x7xf32>
  return %2 : tensor<1x2x7x7xf32>
}

// -----

// A contraction of computed matrices writes its result in the order that is wanted.
// CHECK-LABEL: @result
// CHECK-NEXT: "ipu.einsum"(%arg0, %arg1) {equation = "ab,bc->ca"}
func.func @result(%x: tensor<3x4xf32>, %y: tensor<4x5xf32>) -> tensor<5x3xf32> {
  %0 = "ipu.matmul"(%x, %y) : (tensor<3x4xf32>, tensor<4x5xf32>) -> tensor<3x5xf32>
  %1 = "ipu.transpose"(%0) {permutation = array<i64: 1, 0>} : (tensor<3x5xf32>) -> tensor<5x3xf32>
  return %1 : tensor<5x3xf32>
}

// -----

// The input is transposed before it is padded: that moves less.
// CHECK-LABEL: @input
// CHECK-NEXT: "ipu.transpose"(%arg0)
// CHECK-NEXT: "ipu.pad"{{.*}}high = array<i64: 0, 1, 1, 0>
// CHECK-NEXT: "ipu.max_pool"
func.func @input(%x: tensor<1x3x8x8xf32>) -> tensor<1x8x8x3xf32> {
  %0 = "ipu.pad"(%x) {low = array<i64: 0, 0, 0, 0>, high = array<i64: 0, 0, 1, 1>, interior = array<i64: 0, 0, 0, 0>, value = 0.0 : f64} : (tensor<1x3x8x8xf32>) -> tensor<1x3x9x9xf32>
  %1 = "ipu.transpose"(%0) {permutation = array<i64: 0, 2, 3, 1>} : (tensor<1x3x9x9xf32>) -> tensor<1x9x9x3xf32>
  %2 = "ipu.max_pool"(%1) {window = array<i64: 2, 2>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>} : (tensor<1x9x9x3xf32>) -> tensor<1x8x8x3xf32>
  return %2 : tensor<1x8x8x3xf32>
}

// -----

// A transpose that others need anyway serves an element-wise op as well.
// CHECK-LABEL: @shared
// CHECK-NEXT: %[[ONE:.*]] = "ipu.transpose"(%arg0)
// CHECK-NEXT: %[[EXP:.*]] = "ipu.exp"(%[[ONE]])
// CHECK-NEXT: return %[[ONE]], %[[EXP]]
func.func @shared(%x: tensor<3x4xf32>) -> (tensor<4x3xf32>, tensor<4x3xf32>) {
  %0 = "ipu.transpose"(%x) {permutation = array<i64: 1, 0>} : (tensor<3x4xf32>) -> tensor<4x3xf32>
  %1 = "ipu.exp"(%0) : (tensor<4x3xf32>) -> tensor<4x3xf32>
  return %0, %1 : tensor<4x3xf32>, tensor<4x3xf32>
}

// -----

// Two uses that end in larger transposes than the one there was: nothing is changed.
// CHECK-LABEL: @not_worth_it
// CHECK-NEXT: "ipu.transpose"(%arg0)
// CHECK-NEXT: "ipu.exp"
// CHECK-NEXT: "ipu.log"
// REMARK: ipu-layout: moving transposes does not pay here
func.func @not_worth_it(%x: tensor<3x4xf32>) -> (tensor<4x3xf32>, tensor<4x3xf32>) {
  %0 = "ipu.transpose"(%x) {permutation = array<i64: 1, 0>} : (tensor<3x4xf32>) -> tensor<4x3xf32>
  %1 = "ipu.exp"(%0) : (tensor<4x3xf32>) -> tensor<4x3xf32>
  %2 = "ipu.log"(%0) : (tensor<4x3xf32>) -> tensor<4x3xf32>
  return %1, %2 : tensor<4x3xf32>, tensor<4x3xf32>
}
