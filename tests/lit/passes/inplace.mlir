// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-fuse,ipu-inplace | filecheck %s
// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-fuse,ipu-inplace --remarks 2>&1 | filecheck %s --check-prefix=REMARK

// An element-wise vertex takes the bytes of its dying operand, here the returned buffer itself.
// CHECK: ipu.allocate"() {size = 16 : i64, space = "result"}
// CHECK: ipu.execute"(%arg0, %1)
// CHECK: ipu.execute"(%1, %1)
func.func @main(%x: tensor<1x4xf32>) -> tensor<1x4xf32> {
  %0 = "ipu.softmax"(%x) {axis = 1 : i64} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %1 = "ipu.relu"(%0) : (tensor<1x4xf32>) -> tensor<1x4xf32>
  return %1 : tensor<1x4xf32>
}

// -----

// It does under another shape, too: a reshape moves nothing.
// CHECK: ipu.allocate"() {size = 16 : i64, space = "result"}
// CHECK: ipu.execute"(%[[V:[0-9]+]], %[[V]]) {codelet = @relu
func.func @main(%x: tensor<1x4xf32>) -> tensor<2x2xf32> {
  %0 = "ipu.softmax"(%x) {axis = 1 : i64} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %1 = "ipu.reshape"(%0) {shape = array<i64: 2, 2>} : (tensor<1x4xf32>) -> tensor<2x2xf32>
  %2 = "ipu.relu"(%1) : (tensor<2x2xf32>) -> tensor<2x2xf32>
  return %2 : tensor<2x2xf32>
}

// -----

// Both halves of a concatenation are produced inside of it.
// CHECK: ipu.allocate"() {size = 32 : i64, space = "result"}
// CHECK: ipu.view"(%0) {offsets = array<i64: 0, 0>{{.*}}tensor = tensor<1x4xf32>
// CHECK: ipu.view"(%0) {offsets = array<i64: 0, 4>{{.*}}tensor = tensor<1x4xf32>
// CHECK-NOT: copy
func.func @main(%x: tensor<1x4xf32>) -> tensor<1x8xf32> {
  %0 = "ipu.exp"(%x) : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %1 = "ipu.softmax"(%x) {axis = 1 : i64} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %2 = "ipu.concat"(%0, %1) {axis = 1 : i64} : (tensor<1x4xf32>, tensor<1x4xf32>) -> tensor<1x8xf32>
  return %2 : tensor<1x8xf32>
}

// -----

// A padded tensor is produced inside of its border, which is written before.
// CHECK: ipu.border"(%{{[0-9]+}}, %{{[0-9]+}}) {value = 0.000000e+00 : f64}
// CHECK: ipu.execute"(%arg0
// CHECK-NOT: copy
func.func @main(%x: tensor<4x4xf32>) -> tensor<6x6xf32> {
  %0 = "ipu.exp"(%x) : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %1 = "ipu.pad"(%0) {low = array<i64: 1, 1>, high = array<i64: 1, 1>, interior = array<i64: 0, 0>, value = 0.0 : f64} : (tensor<4x4xf32>) -> tensor<6x6xf32>
  return %1 : tensor<6x6xf32>
}

// -----

// An operand that is read later keeps its bytes, and a remark says so.
// REMARK: it is still read later
// CHECK: space = "arena"
// CHECK: {codelet = @relu_1
// CHECK: {codelet = @softmax_2
func.func @main(%x: tensor<1x4xf32>) -> (tensor<1x4xf32>, tensor<1x4xf32>) {
  %0 = "ipu.softmax"(%x) {axis = 1 : i64} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %1 = "ipu.relu"(%0) : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %2 = "ipu.softmax"(%0) {axis = 1 : i64} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  return %1, %2 : tensor<1x4xf32>, tensor<1x4xf32>
}

// -----

// A copy has memory of its own, also where its result becomes part of a larger buffer.
// CHECK: ipu.allocate"() {size = 16 : i64, space = "arena"}
// CHECK: ipu.execute"(%arg0, %[[KEPT:.*]]) {codelet = @copy
// CHECK: ipu.execute"(%[[KEPT]], %{{.*}}) {codelet = @copy
// REMARK: no alias with {{.*}}: it is a copy that is kept apart
func.func @main(%x: tensor<1x4xf32>) -> tensor<1x8xf32> {
  %0 = "ipu.copy"(%x) : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %1 = "ipu.exp"(%x) : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %2 = "ipu.concat"(%0, %1) {axis = 1 : i64} : (tensor<1x4xf32>, tensor<1x4xf32>) -> tensor<1x8xf32>
  return %2 : tensor<1x8xf32>
}

// -----

// Operands that stay apart are copied, though they could be computed inside of the concatenation.
// CHECK-COUNT-2: codelet = @copy
// REMARK: no alias with {{.*}}: the operands stay apart
func.func @main(%x: tensor<1x4xf32>) -> tensor<1x8xf32> {
  %0 = "ipu.exp"(%x) : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %1 = "ipu.softmax"(%x) {axis = 1 : i64} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %2 = "ipu.concat"(%0, %1) {axis = 1 : i64, apart = true} : (tensor<1x4xf32>, tensor<1x4xf32>) -> tensor<1x8xf32>
  return %2 : tensor<1x8xf32>
}

// -----

// A result does not take bytes that would make the much larger buffer that it becomes part of alive earlier.
// REMARK: no alias with {{.*}}: the buffer that the result becomes part of would be alive earlier
func.func @main(%x: tensor<1x4xf32>) -> tensor<1x12xf32> {
  %0 = "ipu.softmax"(%x) {axis = 1 : i64} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %1 = "ipu.reduce_sum"(%x) {axes = array<i64: 1>, keep = true} : (tensor<1x4xf32>) -> tensor<1x1xf32>
  %2 = "ipu.broadcast"(%1) {shape = array<i64: 1, 8>} : (tensor<1x1xf32>) -> tensor<1x8xf32>
  %3 = "ipu.relu"(%0) : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %4 = "ipu.concat"(%3, %2) {axis = 1 : i64} : (tensor<1x4xf32>, tensor<1x8xf32>) -> tensor<1x12xf32>
  return %4 : tensor<1x12xf32>
}

// -----

// A reshape that is a copy stays apart from a padding in which its operand's shape would not be in one piece.
// REMARK: no alias with {{.*}}: what is copied to it would not be in one piece
func.func @main(%x: tensor<4x4xf32>) -> tensor<4x7xf32> {
  %0 = "ipu.softmax"(%x) {axis = 1 : i64} : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %1 = "ipu.slice"(%0) {offsets = array<i64: 0, 0>, sizes = array<i64: 4, 3>, strides = array<i64: 1, 1>} : (tensor<4x4xf32>) -> tensor<4x3xf32>
  %2 = "ipu.reshape"(%1) {shape = array<i64: 2, 6>} : (tensor<4x3xf32>) -> tensor<2x6xf32>
  %3 = "ipu.pad"(%2) {low = array<i64: 1, 1>, high = array<i64: 1, 0>, interior = array<i64: 0, 0>, value = 0.0 : f64} : (tensor<2x6xf32>) -> tensor<4x7xf32>
  %4 = "ipu.softmax"(%3) {axis = 1 : i64} : (tensor<4x7xf32>) -> tensor<4x7xf32>
  return %4 : tensor<4x7xf32>
}

// -----

// A normalization reads a row before it stores it.
// CHECK: ipu.execute"(%arg0, %[[ROWS:[0-9]+]]) {codelet = @softmax_0{{.*}}tensor<4x16xf32>
// CHECK: ipu.execute"(%[[ROWS]], %[[ROWS]]) {codelet = @standardize_1
func.func @main(%x: tensor<4x16xf32>) -> tensor<4x16xf32> {
  %0 = "ipu.softmax"(%x) {axis = 1 : i64} : (tensor<4x16xf32>) -> tensor<4x16xf32>
  %1 = "ipu.standardize"(%0) {axes = array<i64: 1>, epsilon = 1.0e-5 : f64} : (tensor<4x16xf32>) -> tensor<4x16xf32>
  return %1 : tensor<4x16xf32>
}

// -----

// Attention may take the bytes of the queries, but of the keys, which every workgroup reads, it may not.
// CHECK: ipu.execute"(%arg0, %[[Q:[0-9]+]]) {codelet = @softmax_0{{.*}}tensor<1x16x2x16xf32>
// CHECK: ipu.execute"(%arg0, %[[K:[0-9]+]]) {codelet = @exp_1{{.*}}tensor<1x16x2x16xf32>
// CHECK: ipu.execute"(%[[Q]], %[[K]], %[[Q]]) {codelet = @attention_2
func.func @main(%x: tensor<1x16x2x16xf32>) -> tensor<1x16x2x16xf32> {
  %q = "ipu.softmax"(%x) {axis = 3 : i64} : (tensor<1x16x2x16xf32>) -> tensor<1x16x2x16xf32>
  %k = "ipu.exp"(%x) : (tensor<1x16x2x16xf32>) -> tensor<1x16x2x16xf32>
  %1 = "ipu.attention"(%q, %k, %k) {scale = 1.0 : f64} : (tensor<1x16x2x16xf32>, tensor<1x16x2x16xf32>, tensor<1x16x2x16xf32>) -> tensor<1x16x2x16xf32>
  return %1 : tensor<1x16x2x16xf32>
}

// -----

// Queries that are keys as well keep their bytes.
// CHECK: size = 2048 : i64, space = "arena"
// CHECK: size = 2048 : i64, space = "result"
// CHECK: ipu.execute"(%arg0, %[[Q:[0-9]+]]) {codelet = @softmax_0{{.*}}tensor<1x16x2x16xf32>
// CHECK-NOT: ipu.execute"(%[[Q]], %[[Q]])
func.func @main(%x: tensor<1x16x2x16xf32>) -> tensor<1x16x2x16xf32> {
  %q = "ipu.softmax"(%x) {axis = 3 : i64} : (tensor<1x16x2x16xf32>) -> tensor<1x16x2x16xf32>
  %1 = "ipu.attention"(%q, %q, %q) {scale = 1.0 : f64} : (tensor<1x16x2x16xf32>, tensor<1x16x2x16xf32>, tensor<1x16x2x16xf32>) -> tensor<1x16x2x16xf32>
  return %1 : tensor<1x16x2x16xf32>
}
