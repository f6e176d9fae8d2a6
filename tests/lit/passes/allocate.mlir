// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-fuse,ipu-inplace,ipu-allocate | filecheck %s

// Two buffers that are alive together get bytes of their own; the figures stand on the function.
// CHECK: ipu.arena_bytes = 128 : i64, ipu.lower_bound_bytes = 128 : i64}
// CHECK: ipu.allocate"() {offset = {{0|64}} : i64, size = 16 : i64, space = "arena"}
// CHECK: ipu.allocate"() {offset = {{0|64}} : i64, size = 16 : i64, space = "arena"}
func.func @main(%x: tensor<1x4xf32>) -> tensor<1x4xf32> {
  %0 = "ipu.softmax"(%x) {axis = 1 : i64} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %1 = "ipu.softmax"(%0) {axis = 1 : i64} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %2 = "ipu.softmax"(%1) {axis = 1 : i64} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  return %2 : tensor<1x4xf32>
}

// -----

// A program whose only buffer is the returned one has an empty arena.
// CHECK: ipu.arena_bytes = 0
func.func @main(%x: tensor<1x4xf32>) -> tensor<1x4xf32> {
  %0 = "ipu.softmax"(%x) {axis = 1 : i64} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  return %0 : tensor<1x4xf32>
}

// -----

// A row that is not read any more leaves its bytes to others: 192 bytes, not 256.
// CHECK: ipu.arena_bytes = 192 : i64, ipu.lower_bound_bytes = 192 : i64}
func.func @main(%x: tensor<1x16xf32>) -> tensor<1x16xf32> {
  %0 = "ipu.softmax"(%x) {axis = 1 : i64} : (tensor<1x16xf32>) -> tensor<1x16xf32>
  %1 = "ipu.softmax"(%0) {axis = 1 : i64} : (tensor<1x16xf32>) -> tensor<1x16xf32>
  %2 = "ipu.concat"(%0, %1) {axis = 0 : i64} : (tensor<1x16xf32>, tensor<1x16xf32>) -> tensor<2x16xf32>
  %3 = "ipu.slice"(%2) {offsets = array<i64: 0, 0>, sizes = array<i64: 1, 16>, strides = array<i64: 1, 1>} : (tensor<2x16xf32>) -> tensor<1x16xf32>
  %4 = "ipu.softmax"(%3) {axis = 1 : i64} : (tensor<1x16xf32>) -> tensor<1x16xf32>
  %5 = "ipu.softmax"(%4) {axis = 1 : i64} : (tensor<1x16xf32>) -> tensor<1x16xf32>
  %6 = "ipu.slice"(%2) {offsets = array<i64: 1, 0>, sizes = array<i64: 1, 16>, strides = array<i64: 1, 1>} : (tensor<2x16xf32>) -> tensor<1x16xf32>
  %7 = "ipu.softmax"(%5) {axis = 1 : i64} : (tensor<1x16xf32>) -> tensor<1x16xf32>
  %8 = "ipu.add"(%7, %6) : (tensor<1x16xf32>, tensor<1x16xf32>) -> tensor<1x16xf32>
  return %8 : tensor<1x16xf32>
}
