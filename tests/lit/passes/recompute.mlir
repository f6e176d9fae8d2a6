// RUN: pyipu-opt %s --split-input-file "--pass-pipeline=ipu-fuse,ipu-schedule,ipu-recompute{peak=1}" --remarks 2>&1 | filecheck %s
// RUN: pyipu-opt %s --split-input-file "--pass-pipeline=ipu-fuse,ipu-schedule,ipu-recompute{peak=1},ipu-inplace,ipu-allocate" | filecheck %s --check-prefix=PLACED
// RUN: pyipu-opt %s --split-input-file "--pass-pipeline=ipu-fuse,ipu-schedule,ipu-recompute{free=0.0}" --remarks 2>&1 | filecheck %s --check-prefix=COSTLY
// RUN: pyipu-opt %s --split-input-file "--pass-pipeline=ipu-fuse,ipu-schedule,ipu-recompute{peak=3072}" --remarks 2>&1 | filecheck %s --check-prefix=FITS

// What is broadcast runs again in front of its late reader: two tensors are alive at once instead of three.
// CHECK: ipu.schedule = "heuristic", ipu.schedule_peak_bytes = 2048 : i64
// CHECK: %[[EARLY:.*]] = "ipu.vertex"(%arg0) {codelet = @broadcast_0
// CHECK: "ipu.vertex"(%[[EARLY]]) {codelet = @softmax_1
// CHECK: %[[LATE:.*]] = "ipu.vertex"(%arg0) {codelet = @broadcast_0
// CHECK-NEXT: "ipu.vertex"(%[[LATE]], %{{.*}}) {codelet = @multiply_4
// PLACED: ipu.arena_bytes = 2048
// COSTLY: ipu.schedule = "exact", ipu.schedule_peak_bytes = 3072 : i64
// FITS: ipu.schedule = "exact", ipu.schedule_peak_bytes = 3072 : i64
func.func @broadcast(%x: tensor<1x16xf32>) -> tensor<16x16xf32> {
  %0 = "ipu.broadcast"(%x) {shape = array<i64: 16, 16>} : (tensor<1x16xf32>) -> tensor<16x16xf32>
  %1 = "ipu.softmax"(%0) {axis = 0 : i64} : (tensor<16x16xf32>) -> tensor<16x16xf32>
  %2 = "ipu.softmax"(%1) {axis = 1 : i64} : (tensor<16x16xf32>) -> tensor<16x16xf32>
  %3 = "ipu.reduce_sum"(%2) {axes = array<i64: 0>, keep = true} : (tensor<16x16xf32>) -> tensor<1x16xf32>
  %4 = "ipu.multiply"(%0, %3) : (tensor<16x16xf32>, tensor<1x16xf32>) -> tensor<16x16xf32>
  %5 = "ipu.softmax"(%4) {axis = 1 : i64} : (tensor<16x16xf32>) -> tensor<16x16xf32>
  return %5 : tensor<16x16xf32>
}

// -----

// A late reader of a part reads that part of the copy; the view of what is gone goes as well.
// CHECK: %[[EARLY:.*]] = "ipu.vertex"(%arg0) {codelet = @exp_0
// CHECK-NEXT: "ipu.vertex"(%[[EARLY]]) {codelet = @softmax_1
// CHECK: %[[LATE:.*]] = "ipu.vertex"(%arg0) {codelet = @exp_0
// CHECK: %[[PART:.*]] = "ipu.slice"(%[[LATE]])
// CHECK: "ipu.vertex"(%[[PART]], %{{.*}}) {codelet = @multiply_4
// CHECK-NOT: "ipu.slice"
func.func @part(%x: tensor<16x16xf32>) -> tensor<8x16xf32> {
  %0 = "ipu.exp"(%x) : (tensor<16x16xf32>) -> tensor<16x16xf32>
  %1 = "ipu.softmax"(%0) {axis = 0 : i64} : (tensor<16x16xf32>) -> tensor<16x16xf32>
  %2 = "ipu.softmax"(%1) {axis = 1 : i64} : (tensor<16x16xf32>) -> tensor<16x16xf32>
  %3 = "ipu.reduce_sum"(%2) {axes = array<i64: 0>, keep = true} : (tensor<16x16xf32>) -> tensor<1x16xf32>
  %4 = "ipu.slice"(%0) {offsets = array<i64: 8, 0>, sizes = array<i64: 8, 16>, strides = array<i64: 1, 1>} : (tensor<16x16xf32>) -> tensor<8x16xf32>
  %5 = "ipu.multiply"(%4, %3) : (tensor<8x16xf32>, tensor<1x16xf32>) -> tensor<8x16xf32>
  return %5 : tensor<8x16xf32>
}

// -----

// What the copy reads would be kept instead: nothing is gained.
// CHECK: ipu.schedule = "exact"
func.func @operand(%x: tensor<16x16xf32>) -> tensor<1x16xf32> {
  %0 = "ipu.softmax"(%x) {axis = 0 : i64} : (tensor<16x16xf32>) -> tensor<16x16xf32>
  %1 = "ipu.broadcast"(%0) {shape = array<i64: 1, 16, 16>} : (tensor<16x16xf32>) -> tensor<1x16x16xf32>
  %2 = "ipu.softmax"(%1) {axis = 1 : i64} : (tensor<1x16x16xf32>) -> tensor<1x16x16xf32>
  %3 = "ipu.softmax"(%2) {axis = 2 : i64} : (tensor<1x16x16xf32>) -> tensor<1x16x16xf32>
  %4 = "ipu.multiply"(%1, %3) : (tensor<1x16x16xf32>, tensor<1x16x16xf32>) -> tensor<1x16x16xf32>
  %5 = "ipu.reduce_sum"(%4) {axes = array<i64: 0, 1>, keep = false} : (tensor<1x16x16xf32>) -> tensor<16xf32>
  %6 = "ipu.reshape"(%5) {shape = array<i64: 1, 16>} : (tensor<16xf32>) -> tensor<1x16xf32>
  return %6 : tensor<1x16xf32>
}

// -----

// A sum is not cheap: it stays where it is, however long.
// CHECK: ipu.schedule = "exact", ipu.schedule_peak_bytes = 3072 : i64
func.func @sum(%x: tensor<2x16x16xf32>) -> tensor<16x16xf32> {
  %0 = "ipu.reduce_sum"(%x) {axes = array<i64: 0>, keep = false} : (tensor<2x16x16xf32>) -> tensor<16x16xf32>
  %1 = "ipu.softmax"(%0) {axis = 0 : i64} : (tensor<16x16xf32>) -> tensor<16x16xf32>
  %2 = "ipu.softmax"(%1) {axis = 1 : i64} : (tensor<16x16xf32>) -> tensor<16x16xf32>
  %3 = "ipu.reduce_sum"(%2) {axes = array<i64: 0>, keep = true} : (tensor<16x16xf32>) -> tensor<1x16xf32>
  %4 = "ipu.multiply"(%0, %3) : (tensor<16x16xf32>, tensor<1x16xf32>) -> tensor<16x16xf32>
  %5 = "ipu.softmax"(%4) {axis = 1 : i64} : (tensor<16x16xf32>) -> tensor<16x16xf32>
  return %5 : tensor<16x16xf32>
}

// CHECK: recompute.mlir:16:8: remark: ipu-recompute: computed again for a later reader (ops: 1): the peak falls from 3072 to 2048 bytes
// CHECK: remark: ipu-recompute: computed again for a later reader (ops: 2)
// CHECK: remark: ipu-recompute: kept, not computed again: the peak of 3072 bytes would be 3072
// CHECK-NOT: ipu-recompute
// COSTLY: remark: ipu-recompute: kept, not computed again: it takes 2.0 microseconds, and 0.0 are allowed
// FITS-NOT: ipu-recompute
