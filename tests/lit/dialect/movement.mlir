// RUN: pyipu-opt %s | filecheck %s
// RUN: pyipu-opt %s | iree-opt --irdl-file=%irdl - -o /dev/null

// The elements stay, the shape changes.
// CHECK: "ipu.reshape"(%arg0) {shape = array<i64: 6, 4>} : (tensor<2x3x4xf32>) -> tensor<6x4xf32>
func.func @reshape(%a: tensor<2x3x4xf32>) -> tensor<6x4xf32> {
  %0 = "ipu.reshape"(%a) {shape = array<i64: 6, 4>} : (tensor<2x3x4xf32>) -> tensor<6x4xf32>
  return %0 : tensor<6x4xf32>
}

// Channels go last.
// CHECK: "ipu.transpose"(%arg0) {permutation = array<i64: 0, 2, 3, 1>} : (tensor<1x3x8x8xf32>) -> tensor<1x8x8x3xf32>
func.func @transpose(%a: tensor<1x3x8x8xf32>) -> tensor<1x8x8x3xf32> {
  %0 = "ipu.transpose"(%a) {permutation = array<i64: 0, 2, 3, 1>} : (tensor<1x3x8x8xf32>) -> tensor<1x8x8x3xf32>
  return %0 : tensor<1x8x8x3xf32>
}

// Two groups of three channels are shuffled.
// CHECK: "ipu.interleave"(%arg0) : (tensor<1x8x2x3xf32>) -> tensor<1x8x6xf32>
func.func @interleave(%a: tensor<1x8x2x3xf32>) -> tensor<1x8x6xf32> {
  %0 = "ipu.interleave"(%a) : (tensor<1x8x2x3xf32>) -> tensor<1x8x6xf32>
  return %0 : tensor<1x8x6xf32>
}

// A new leading dimension, and a one that is repeated.
// CHECK: "ipu.broadcast"(%arg0) {shape = array<i64: 2, 3, 4>} : (tensor<3x1xf32>) -> tensor<2x3x4xf32>
func.func @broadcast(%a: tensor<3x1xf32>) -> tensor<2x3x4xf32> {
  %0 = "ipu.broadcast"(%a) {shape = array<i64: 2, 3, 4>} : (tensor<3x1xf32>) -> tensor<2x3x4xf32>
  return %0 : tensor<2x3x4xf32>
}

// Two operands in a row.
// CHECK: "ipu.concat"(%arg0, %arg1) {axis = 1 : i64, {{.*}}} : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x6xf32>
func.func @concat(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) -> tensor<2x6xf32> {
  %0 = "ipu.concat"(%a, %b) {axis = 1 : i64} : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x6xf32>
  return %0 : tensor<2x6xf32>
}

// Two operands that stay apart from the result.
// CHECK: "ipu.concat"(%arg0, %arg1) {apart = true, axis = 0 : i64, {{.*}}} : (tensor<2xf32>, tensor<2xf32>) -> tensor<4xf32>
func.func @concat_apart(%a: tensor<2xf32>, %b: tensor<2xf32>) -> tensor<4xf32> {
  %0 = "ipu.concat"(%a, %b) {apart = true, axis = 0 : i64} : (tensor<2xf32>, tensor<2xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// Every second element.
// CHECK: "ipu.slice"(%arg0) {offsets = array<i64: 1, 0>, sizes = array<i64: 2, 3>, strides = array<i64: 1, 2>} : (tensor<5x6xf32>) -> tensor<2x3xf32>
func.func @slice(%a: tensor<5x6xf32>) -> tensor<2x3xf32> {
  %0 = "ipu.slice"(%a) {offsets = array<i64: 1, 0>, sizes = array<i64: 2, 3>, strides = array<i64: 1, 2>} : (tensor<5x6xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// The same elements in other bytes.
// CHECK: "ipu.copy"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @copy(%a: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "ipu.copy"(%a) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// A border, and gaps between the rows.
// CHECK: "ipu.pad"(%arg0) {high = array<i64: 0, 1>, interior = array<i64: 1, 0>, low = array<i64: 1, 1>, value = 0.000000e+00 : f64} : (tensor<2x3xf32>) -> tensor<4x5xf32>
func.func @pad(%a: tensor<2x3xf32>) -> tensor<4x5xf32> {
  %0 = "ipu.pad"(%a) {high = array<i64: 0, 1>, interior = array<i64: 1, 0>, low = array<i64: 1, 1>, value = 0.000000e+00 : f64} : (tensor<2x3xf32>) -> tensor<4x5xf32>
  return %0 : tensor<4x5xf32>
}

// The indices' dimensions take the place of the axis.
// CHECK: "ipu.gather"(%arg0, %arg1) {axis = 1 : i64} : (tensor<4x5xf32>, tensor<2x3xi64>) -> tensor<4x2x3xf32>
func.func @gather(%a: tensor<4x5xf32>, %b: tensor<2x3xi64>) -> tensor<4x2x3xf32> {
  %0 = "ipu.gather"(%a, %b) {axis = 1 : i64} : (tensor<4x5xf32>, tensor<2x3xi64>) -> tensor<4x2x3xf32>
  return %0 : tensor<4x2x3xf32>
}
