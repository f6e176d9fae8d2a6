// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-fuse,ipu-account | filecheck %s
// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-fuse,ipu-account,ipu-inplace,ipu-allocate | filecheck %s --check-prefix=PLACED
// RUN: pyipu-opt %s --split-input-file "--pass-pipeline=ipu-fuse,ipu-account{stages=sum+schedule alignment=16}" | filecheck %s --check-prefix=CHOSEN
// RUN: not pyipu-opt %s "--pass-pipeline=ipu-account{stages=sum+tiles}" 2>&1 | filecheck %s --check-prefix=UNKNOWN

// Two values of 64 bytes are alive at once, unless the second takes the bytes of the first; the result does not count.
// UNKNOWN: pass ipu-account knows the stages sum, reuse, in-place, schedule, not 'tiles'
// CHECK: ipu.in_place_bytes = 64 : i64, ipu.reuse_bytes = 128 : i64, ipu.sum_bytes = 128 : i64}
// PLACED: ipu.arena_bytes = 64 : i64, ipu.in_place_bytes = 64 : i64, ipu.lower_bound_bytes = 64 : i64, ipu.reuse_bytes = 128
// CHOSEN: attributes {ipu.schedule_bytes = 64 : i64, ipu.sum_bytes = 128 : i64}
func.func @main(%x: tensor<1x16xf32>) -> tensor<1x16xf32> {
  %0 = "ipu.softmax"(%x) {axis = 1 : i64} : (tensor<1x16xf32>) -> tensor<1x16xf32>
  %1 = "ipu.relu"(%0) : (tensor<1x16xf32>) -> tensor<1x16xf32>
  %2 = "ipu.softmax"(%1) {axis = 1 : i64} : (tensor<1x16xf32>) -> tensor<1x16xf32>
  return %2 : tensor<1x16xf32>
}

// -----

// Both halves of a concatenation lie inside of it: nothing is copied, and its 128 bytes are all there is.
// CHECK: ipu.in_place_bytes = 128 : i64, ipu.reuse_bytes = 256 : i64, ipu.sum_bytes = 256 : i64}
// PLACED: ipu.arena_bytes = 128 : i64
// CHOSEN: attributes {ipu.schedule_bytes = 128 : i64, ipu.sum_bytes = 256 : i64}
func.func @main(%x: tensor<1x16xf32>) -> tensor<1x32xf32> {
  %0 = "ipu.softmax"(%x) {axis = 1 : i64} : (tensor<1x16xf32>) -> tensor<1x16xf32>
  %1 = "ipu.exp"(%x) : (tensor<1x16xf32>) -> tensor<1x16xf32>
  %2 = "ipu.concat"(%0, %1) {axis = 1 : i64} : (tensor<1x16xf32>, tensor<1x16xf32>) -> tensor<1x32xf32>
  %3 = "ipu.softmax"(%2) {axis = 1 : i64} : (tensor<1x32xf32>) -> tensor<1x32xf32>
  return %3 : tensor<1x32xf32>
}

// -----

// What is returned lies with the caller, and a reshape has no bytes of its own.
// CHECK: ipu.in_place_bytes = 64 : i64, ipu.reuse_bytes = 64 : i64, ipu.sum_bytes = 64 : i64}
// PLACED: ipu.arena_bytes = 64 : i64
// CHOSEN: attributes {ipu.schedule_bytes = 16 : i64, ipu.sum_bytes = 16 : i64}
func.func @main(%x: tensor<1x4xf32>) -> tensor<4x1xf32> {
  %0 = "ipu.softmax"(%x) {axis = 1 : i64} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %1 = "ipu.reshape"(%0) {shape = array<i64: 4, 1>} : (tensor<1x4xf32>) -> tensor<4x1xf32>
  %2 = "ipu.softmax"(%1) {axis = 0 : i64} : (tensor<4x1xf32>) -> tensor<4x1xf32>
  return %2 : tensor<4x1xf32>
}
