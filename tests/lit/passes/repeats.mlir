// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-repeats | filecheck %s

// An image that is enlarged is read as it was.
// CHECK-LABEL: @enlarged
// CHECK-DAG: %[[X:.*]] = "ipu.reshape"(%arg0) {shape = array<i64: 1, 2, 1, 2, 1, 8>}
// CHECK-DAG: %[[Y:.*]] = "ipu.reshape"(%arg1) {shape = array<i64: 1, 2, 2, 2, 2, 8>}
// CHECK: %[[S:.*]] = "ipu.add"(%[[Y]], %[[X]])
// CHECK: "ipu.reshape"(%[[S]]) {shape = array<i64: 1, 4, 4, 8>}
func.func @enlarged(%x: tensor<1x2x2x8xf32>, %y: tensor<1x4x4x8xf32>) -> tensor<1x4x4x8xf32> {
  %a = "ipu.reshape"(%x) {shape = array<i64: 1, 2, 1, 2, 1, 8>} : (tensor<1x2x2x8xf32>) -> tensor<1x2x1x2x1x8xf32>
  %b = "ipu.broadcast"(%a) {shape = array<i64: 1, 2, 2, 2, 2, 8>} : (tensor<1x2x1x2x1x8xf32>) -> tensor<1x2x2x2x2x8xf32>
  %c = "ipu.reshape"(%b) {shape = array<i64: 1, 4, 4, 8>} : (tensor<1x2x2x2x2x8xf32>) -> tensor<1x4x4x8xf32>
  %s = "ipu.add"(%y, %c) : (tensor<1x4x4x8xf32>, tensor<1x4x4x8xf32>) -> tensor<1x4x4x8xf32>
  return %s : tensor<1x4x4x8xf32>
}

// -----

// What is computed for the sum alone goes on with it; a channel's factor keeps to its channel.
// CHECK-LABEL: @scaled
// CHECK: %[[F:.*]] = "ipu.reshape"(%arg2) {shape = array<i64: 1, 1, 1, 1, 1, 8>}
// CHECK: %[[M:.*]] = "ipu.multiply"(%{{.*}}, %[[F]]) : (tensor<1x2x2x2x2x8xf32>
// CHECK: "ipu.add"(%[[M]], %{{.*}}) : (tensor<1x2x2x2x2x8xf32>, tensor<1x2x1x2x1x8xf32>)
func.func @scaled(%x: tensor<1x2x1x2x1x8xf32>, %y: tensor<1x4x4x8xf32>, %f: tensor<1x1x1x8xf32>) -> tensor<1x4x4x8xf32> {
  %b = "ipu.broadcast"(%x) {shape = array<i64: 1, 2, 2, 2, 2, 8>} : (tensor<1x2x1x2x1x8xf32>) -> tensor<1x2x2x2x2x8xf32>
  %c = "ipu.reshape"(%b) {shape = array<i64: 1, 4, 4, 8>} : (tensor<1x2x2x2x2x8xf32>) -> tensor<1x4x4x8xf32>
  %m = "ipu.multiply"(%y, %f) : (tensor<1x4x4x8xf32>, tensor<1x1x1x8xf32>) -> tensor<1x4x4x8xf32>
  %s = "ipu.add"(%m, %c) : (tensor<1x4x4x8xf32>, tensor<1x4x4x8xf32>) -> tensor<1x4x4x8xf32>
  return %s : tensor<1x4x4x8xf32>
}

// -----

// A convolution, a pooling and the like need the large image.
// CHECK-LABEL: @pooled
// CHECK: "ipu.broadcast"
func.func @pooled(%x: tensor<1x2x1x2x1x8xf32>) -> tensor<1x2x2x8xf32> {
  %b = "ipu.broadcast"(%x) {shape = array<i64: 1, 2, 2, 2, 2, 8>} : (tensor<1x2x1x2x1x8xf32>) -> tensor<1x2x2x2x2x8xf32>
  %c = "ipu.reshape"(%b) {shape = array<i64: 1, 4, 4, 8>} : (tensor<1x2x2x2x2x8xf32>) -> tensor<1x4x4x8xf32>
  %p = "ipu.max_pool"(%c) {window = array<i64: 2, 2>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>} : (tensor<1x4x4x8xf32>) -> tensor<1x2x2x8xf32>
  return %p : tensor<1x2x2x8xf32>
}
