// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-canonicalize | filecheck %s
// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-canonicalize --remarks 2>&1 | filecheck %s --check-prefix=REMARK

// Known operands fold.
// CHECK-LABEL: @constants
// CHECK-NEXT: dense<[3.000000e+00, 5.000000e+00]>
// CHECK-NEXT: return
func.func @constants() -> tensor<2xf32> {
  %0 = "ipu.constant"() {value = dense<[1.0, 2.0]> : tensor<2xf32>} : () -> tensor<2xf32>
  %1 = "ipu.constant"() {value = dense<[2.0, 3.0]> : tensor<2xf32>} : () -> tensor<2xf32>
  %2 = "ipu.add"(%0, %1) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return %2 : tensor<2xf32>
}

// -----

// What nobody needs vanishes, with what only it needed.
// CHECK-LABEL: @dead
// CHECK-NEXT: return %arg0
func.func @dead(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = "ipu.exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %1 = "ipu.log"(%0) : (tensor<4xf32>) -> tensor<4xf32>
  return %x : tensor<4xf32>
}

// -----

// Equal ops are one.
// CHECK-LABEL: @equal
// CHECK: %[[EXP:.*]] = "ipu.exp"
// CHECK-NEXT: "ipu.add"(%[[EXP]], %[[EXP]])
func.func @equal(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = "ipu.exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %1 = "ipu.exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %2 = "ipu.add"(%0, %1) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %2 : tensor<4xf32>
}

// -----

// Ops that differ in an attribute stay two.
// CHECK-LABEL: @unequal
// CHECK: slope = 1.0
// CHECK-NEXT: slope = 2.0
func.func @unequal(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %0 = "ipu.leaky_relu"(%x) {slope = 0.1 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  %1 = "ipu.leaky_relu"(%x) {slope = 0.2 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  return %0, %1 : tensor<4xf32>, tensor<4xf32>
}

// -----

// Reshapes merge, and one to the shape at hand is none.
// CHECK-LABEL: @reshapes
// CHECK-NEXT: return %arg0
func.func @reshapes(%x: tensor<2x6xf32>) -> tensor<2x6xf32> {
  %0 = "ipu.reshape"(%x) {shape = array<i64: 12>} : (tensor<2x6xf32>) -> tensor<12xf32>
  %1 = "ipu.reshape"(%0) {shape = array<i64: 2, 6>} : (tensor<12xf32>) -> tensor<2x6xf32>
  return %1 : tensor<2x6xf32>
}

// -----

// Transposes merge.
// CHECK-LABEL: @transposes
// CHECK-NEXT: "ipu.transpose"(%arg0) {permutation = array<i64: 2, 1, 0>}
// CHECK-NEXT: return
func.func @transposes(%x: tensor<2x3x4xf32>) -> tensor<4x3x2xf32> {
  %0 = "ipu.transpose"(%x) {permutation = array<i64: 1, 2, 0>} : (tensor<2x3x4xf32>) -> tensor<3x4x2xf32>
  %1 = "ipu.transpose"(%0) {permutation = array<i64: 1, 0, 2>} : (tensor<3x4x2xf32>) -> tensor<4x3x2xf32>
  return %1 : tensor<4x3x2xf32>
}

// -----

// A transpose that only moves dimensions of size one is a reshape.
// CHECK-LABEL: @transposed_units
// CHECK-NEXT: "ipu.reshape"(%arg0) {shape = array<i64: 2, 4, 1>}
func.func @transposed_units(%x: tensor<2x1x4xf32>) -> tensor<2x4x1xf32> {
  %0 = "ipu.transpose"(%x) {permutation = array<i64: 0, 2, 1>} : (tensor<2x1x4xf32>) -> tensor<2x4x1xf32>
  return %0 : tensor<2x4x1xf32>
}

// -----

// Slices merge.
// CHECK-LABEL: @slices
// CHECK-NEXT: offsets = array<i64: 5>, sizes = array<i64: 2>, strides = array<i64: 6>
// CHECK-NEXT: return
func.func @slices(%x: tensor<20xf32>) -> tensor<2xf32> {
  %0 = "ipu.slice"(%x) {offsets = array<i64: 3>, sizes = array<i64: 8>, strides = array<i64: 2>} : (tensor<20xf32>) -> tensor<8xf32>
  %1 = "ipu.slice"(%0) {offsets = array<i64: 1>, sizes = array<i64: 2>, strides = array<i64: 3>} : (tensor<8xf32>) -> tensor<2xf32>
  return %1 : tensor<2xf32>
}

// -----

// Pads of one value merge; the inner one may be spread.
// CHECK-LABEL: @pads
// CHECK-NEXT: high = array<i64: 3>, interior = array<i64: 1>, low = array<i64: 1>
// CHECK-NEXT: return
func.func @pads(%x: tensor<3xf32>) -> tensor<9xf32> {
  %0 = "ipu.pad"(%x) {low = array<i64: 1>, high = array<i64: 0>, interior = array<i64: 1>, value = 0.0 : f64} : (tensor<3xf32>) -> tensor<6xf32>
  %1 = "ipu.pad"(%0) {low = array<i64: 0>, high = array<i64: 3>, interior = array<i64: 0>, value = 0.0 : f64} : (tensor<6xf32>) -> tensor<9xf32>
  return %1 : tensor<9xf32>
}

// -----

// Pads of two values stay two.
// CHECK-LABEL: @unequal_pads
// CHECK-COUNT-2: "ipu.pad"
func.func @unequal_pads(%x: tensor<3xf32>) -> tensor<5xf32> {
  %0 = "ipu.pad"(%x) {low = array<i64: 1>, high = array<i64: 0>, interior = array<i64: 0>, value = 0.0 : f64} : (tensor<3xf32>) -> tensor<4xf32>
  %1 = "ipu.pad"(%0) {low = array<i64: 0>, high = array<i64: 1>, interior = array<i64: 0>, value = 1.0 : f64} : (tensor<4xf32>) -> tensor<5xf32>
  return %1 : tensor<5xf32>
}

// -----

// Neutral elements and idempotent ops vanish.
// CHECK-LABEL: @neutral
// CHECK-NEXT: %[[RELU:.*]] = "ipu.relu"(%arg0)
// CHECK-NEXT: return %[[RELU]]
func.func @neutral(%x: tensor<4xf32>) -> tensor<4xf32> {
  %zero = "ipu.constant"() {value = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %one = "ipu.constant"() {value = dense<1.0> : tensor<4xf32>} : () -> tensor<4xf32>
  %0 = "ipu.add"(%zero, %x) : (tensor<1xf32>, tensor<4xf32>) -> tensor<4xf32>
  %1 = "ipu.divide"(%0, %one) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %2 = "ipu.relu"(%1) : (tensor<4xf32>) -> tensor<4xf32>
  %3 = "ipu.relu"(%2) : (tensor<4xf32>) -> tensor<4xf32>
  return %3 : tensor<4xf32>
}

// -----

// A neutral element that broadcasts the other operand stays.
// CHECK-LABEL: @broadcasting_zero
// CHECK: "ipu.add"
func.func @broadcasting_zero(%x: tensor<1xf32>) -> tensor<4xf32> {
  %zero = "ipu.constant"() {value = dense<0.0> : tensor<4xf32>} : () -> tensor<4xf32>
  %0 = "ipu.add"(%x, %zero) : (tensor<1xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// Element-wise ops broadcast by themselves.
// CHECK-LABEL: @broadcast
// CHECK-NEXT: "ipu.maximum"(%arg0, %arg1) : (tensor<2x4xf32>, tensor<4xf32>)
// CHECK-NEXT: return
func.func @broadcast(%x: tensor<2x4xf32>, %y: tensor<4xf32>) -> tensor<2x4xf32> {
  %0 = "ipu.broadcast"(%y) {shape = array<i64: 2, 4>} : (tensor<4xf32>) -> tensor<2x4xf32>
  %1 = "ipu.maximum"(%x, %0) : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  return %1 : tensor<2x4xf32>
}

// -----

// Known indices in a row are a slice.
// CHECK-LABEL: @gather
// CHECK-NEXT: "ipu.slice"(%arg0) {offsets = array<i64: 0, 4>, sizes = array<i64: 2, 1>, strides = array<i64: 1, 1>}
// CHECK-NEXT: "ipu.reshape"
func.func @gather(%x: tensor<2x5xf32>) -> tensor<2xf32> {
  %last = "ipu.constant"() {value = dense<-1> : tensor<i64>} : () -> tensor<i64>
  %0 = "ipu.gather"(%x, %last) {axis = 1 : i64} : (tensor<2x5xf32>, tensor<i64>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// -----

// Element-wise ops and softmax stand before reshapes, next to what computes their operand.
// CHECK-LABEL: @before_reshape
// CHECK: "ipu.relu"(%arg0)
// CHECK-NEXT: "ipu.softmax"{{.*}}axis = 2
// CHECK-NEXT: "ipu.reshape"
func.func @before_reshape(%x: tensor<2x3x4xf32>) -> tensor<6x4xf32> {
  %0 = "ipu.reshape"(%x) {shape = array<i64: 6, 4>} : (tensor<2x3x4xf32>) -> tensor<6x4xf32>
  %1 = "ipu.relu"(%0) : (tensor<6x4xf32>) -> tensor<6x4xf32>
  %2 = "ipu.softmax"(%1) {axis = 1 : i64} : (tensor<6x4xf32>) -> tensor<6x4xf32>
  return %2 : tensor<6x4xf32>
}

// -----

// A batch-norm after a convolution: the scale goes into the weights, the shifts are one.
// CHECK-LABEL: @batch_norm
// CHECK-NEXT: %[[WEIGHTS:.*]] = "ipu.parameter"() {key = "w.multiply"}
// CHECK-NEXT: %[[CONV:.*]] = "ipu.conv"(%arg0, %[[WEIGHTS]])
// CHECK-NEXT: %[[SHIFT:.*]] = "ipu.parameter"() {key = "b.multiply.add"}
// CHECK-NEXT: "ipu.add"(%[[CONV]], %[[SHIFT]])
// CHECK-NEXT: return
func.func @batch_norm(%x: tensor<1x5x5x8xf32>) -> tensor<1x5x5x32xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<1x1x8x32xf32>
  %b = "ipu.parameter"() {key = "b"} : () -> tensor<32xf32>
  %scale = "ipu.parameter"() {key = "scale"} : () -> tensor<32xf32>
  %shift = "ipu.parameter"() {key = "shift"} : () -> tensor<32xf32>
  %0 = "ipu.conv"(%x, %w) {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x5x5x8xf32>, tensor<1x1x8x32xf32>) -> tensor<1x5x5x32xf32>
  %1 = "ipu.add"(%0, %b) : (tensor<1x5x5x32xf32>, tensor<32xf32>) -> tensor<1x5x5x32xf32>
  %2 = "ipu.divide"(%1, %scale) : (tensor<1x5x5x32xf32>, tensor<32xf32>) -> tensor<1x5x5x32xf32>
  %3 = "ipu.subtract"(%2, %shift) : (tensor<1x5x5x32xf32>, tensor<32xf32>) -> tensor<1x5x5x32xf32>
  return %3 : tensor<1x5x5x32xf32>
}

// -----

// A scale along the last dimension of a contraction's result.
// CHECK-LABEL: @scaled_matmul
// CHECK: "ipu.parameter"() {key = "w.multiply"}
// CHECK-NEXT: "ipu.matmul"
// CHECK-NEXT: return
func.func @scaled_matmul(%x: tensor<3x8xf32>) -> tensor<3x32xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<8x32xf32>
  %s = "ipu.parameter"() {key = "s"} : () -> tensor<1x32xf32>
  %0 = "ipu.matmul"(%x, %w) : (tensor<3x8xf32>, tensor<8x32xf32>) -> tensor<3x32xf32>
  %1 = "ipu.multiply"(%0, %s) : (tensor<3x32xf32>, tensor<1x32xf32>) -> tensor<3x32xf32>
  return %1 : tensor<3x32xf32>
}

// -----

// A convolution that others need unscaled keeps its weights.
// CHECK-LABEL: @two_users
// CHECK: "ipu.conv"
// CHECK-NEXT: "ipu.multiply"
// REMARK: remark: ipu-canonicalize: the conv before this scale has other users
func.func @two_users(%x: tensor<1x5x5x8xf32>) -> (tensor<1x5x5x32xf32>, tensor<1x5x5x32xf32>) {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<1x1x8x32xf32>
  %s = "ipu.parameter"() {key = "s"} : () -> tensor<32xf32>
  %0 = "ipu.conv"(%x, %w) {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x5x5x8xf32>, tensor<1x1x8x32xf32>) -> tensor<1x5x5x32xf32>
  %1 = "ipu.multiply"(%0, %s) : (tensor<1x5x5x32xf32>, tensor<32xf32>) -> tensor<1x5x5x32xf32>
  return %0, %1 : tensor<1x5x5x32xf32>, tensor<1x5x5x32xf32>
}
