// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-fuse,ipu-schedule | filecheck %s
// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-fuse,ipu-schedule --remarks 2>&1 | filecheck %s --check-prefix=REMARK
// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-fuse,ipu-schedule,ipu-inplace | filecheck %s --check-prefix=PLACED
// RUN: pyipu-opt %s --split-input-file "--pass-pipeline=ipu-fuse,ipu-schedule{alignment=256}" | filecheck %s --check-prefix=ALIGNED
// RUN: not pyipu-opt %s --split-input-file --pass-pipeline=ipu-schedule 2>&1 | filecheck %s --check-prefix=UNFUSED
// UNFUSED: op at {{.*}} is in no vertex: run ipu-fuse first

// The branch that ends in a small tensor runs before the one that ends in a large one.
// CHECK: ipu.schedule = "exact", ipu.schedule_peak_bytes = 320 : i64
// CHECK: {codelet = @softmax_0
// CHECK: {codelet = @softmax_2
// CHECK: {codelet = @reduce_sum_3
// CHECK: {codelet = @softmax_1
// REMARK: order: exact, peak 320 bytes, 384 as given
// PLACED: ipu.schedule = "exact", ipu.schedule_peak_bytes = 320 : i64
// ALIGNED: ipu.schedule_peak_bytes = 768 : i64
func.func @main(%x: tensor<2x16xf32>) -> tensor<1x16xf32> {
  %0 = "ipu.softmax"(%x) {axis = 1 : i64} : (tensor<2x16xf32>) -> tensor<2x16xf32>
  %1 = "ipu.softmax"(%0) {axis = 0 : i64} : (tensor<2x16xf32>) -> tensor<2x16xf32>
  %2 = "ipu.softmax"(%0) {axis = 1 : i64} : (tensor<2x16xf32>) -> tensor<2x16xf32>
  %3 = "ipu.reduce_sum"(%2) {axes = array<i64: 0>, keep = true} : (tensor<2x16xf32>) -> tensor<1x16xf32>
  %4 = "ipu.multiply"(%1, %3) : (tensor<2x16xf32>, tensor<1x16xf32>) -> tensor<2x16xf32>
  %5 = "ipu.reduce_sum"(%4) {axes = array<i64: 0>, keep = true} : (tensor<2x16xf32>) -> tensor<1x16xf32>
  return %5 : tensor<1x16xf32>
}

// -----

// Two branches that need the same keep their order.
// CHECK: ipu.schedule = "exact", ipu.schedule_peak_bytes = 384 : i64
// CHECK: {codelet = @softmax_0
// CHECK: {codelet = @softmax_1
// CHECK: {codelet = @softmax_2
// REMARK: order: exact, peak 384 bytes, 384 as given
func.func @main(%x: tensor<2x16xf32>) -> tensor<1x16xf32> {
  %0 = "ipu.softmax"(%x) {axis = 1 : i64} : (tensor<2x16xf32>) -> tensor<2x16xf32>
  %1 = "ipu.softmax"(%0) {axis = 0 : i64} : (tensor<2x16xf32>) -> tensor<2x16xf32>
  %2 = "ipu.softmax"(%0) {axis = 1 : i64} : (tensor<2x16xf32>) -> tensor<2x16xf32>
  %3 = "ipu.softmax"(%1) {axis = 1 : i64} : (tensor<2x16xf32>) -> tensor<2x16xf32>
  %4 = "ipu.add"(%2, %3) : (tensor<2x16xf32>, tensor<2x16xf32>) -> tensor<2x16xf32>
  %5 = "ipu.reduce_sum"(%4) {axes = array<i64: 0>, keep = true} : (tensor<2x16xf32>) -> tensor<1x16xf32>
  return %5 : tensor<1x16xf32>
}

// -----

// Halves of a concatenation are produced inside of it: no order saves its bytes.
// CHECK: ipu.schedule_peak_bytes = 256 : i64
// CHECK: {codelet = @softmax_0
// CHECK: {codelet = @softmax_1
func.func @main(%x: tensor<2x16xf32>) -> tensor<1x16xf32> {
  %0 = "ipu.softmax"(%x) {axis = 1 : i64} : (tensor<2x16xf32>) -> tensor<2x16xf32>
  %1 = "ipu.softmax"(%x) {axis = 0 : i64} : (tensor<2x16xf32>) -> tensor<2x16xf32>
  %2 = "ipu.concat"(%0, %1) {axis = 0 : i64} : (tensor<2x16xf32>, tensor<2x16xf32>) -> tensor<4x16xf32>
  %3 = "ipu.reduce_sum"(%2) {axes = array<i64: 0>, keep = true} : (tensor<4x16xf32>) -> tensor<1x16xf32>
  return %3 : tensor<1x16xf32>
}
