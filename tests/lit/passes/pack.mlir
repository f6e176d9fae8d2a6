// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-pack | filecheck %s
// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-pack{block=16} | filecheck %s --check-prefix=NARROW

// The weights of a pointwise convolution lie in blocks of columns.
// CHECK-LABEL: @pointwise
// CHECK-NEXT: %[[W:.*]] = "ipu.parameter"() {key = "w.reshape.transpose"} : () -> tensor<1x2x12x32xf32>
// CHECK-NEXT: "ipu.packed_matmul"(%arg0, %[[W]])
// NARROW-LABEL: @pointwise
// NARROW: "ipu.parameter"{{.*}} -> tensor<1x4x12x16xf32>
func.func @pointwise(%x: tensor<1x5x6x12xf32>) -> tensor<1x5x6x64xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<1x1x12x64xf32>
  %0 = "ipu.conv"(%x, %w) {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x5x6x12xf32>, tensor<1x1x12x64xf32>) -> tensor<1x5x6x64xf32>
  return %0 : tensor<1x5x6x64xf32>
}

// -----

// Filters that fill no vector get company, which is cut off behind the epilogue.
// CHECK-LABEL: @widen
// CHECK: %[[CONV:.*]] = "ipu.conv"{{.*}} -> tensor<1x3x3x24xf32>
// CHECK-NEXT: %[[RELU:.*]] = "ipu.relu"(%[[CONV]])
// CHECK-NEXT: "ipu.slice"(%[[RELU]]){{.*}} -> tensor<1x3x3x20xf32>
func.func @widen(%x: tensor<1x5x5x4xf32>) -> tensor<1x3x3x20xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<3x3x4x20xf32>
  %0 = "ipu.conv"(%x, %w) {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x5x5x4xf32>, tensor<3x3x4x20xf32>) -> tensor<1x3x3x20xf32>
  %1 = "ipu.relu"(%0) : (tensor<1x3x3x20xf32>) -> tensor<1x3x3x20xf32>
  return %1 : tensor<1x3x3x20xf32>
}

// -----

// A transposed convolution without overlap: each place in its blocks is a product, and concatenations weave them.
// CHECK-LABEL: @blocks
// CHECK: %[[X:.*]] = "ipu.reshape"(%arg0) {shape = array<i64: 1, 3, 1, 4, 1, 6>}
// CHECK-COUNT-4: "ipu.packed_matmul"(%[[X]], {{.*}}tensor<1x1x6x8xf32>
// CHECK: %[[UPPER:.*]] = "ipu.concat"{{.*}}axis = 4
// CHECK: %[[LOWER:.*]] = "ipu.concat"{{.*}}axis = 4
// CHECK: "ipu.concat"(%[[UPPER]], %[[LOWER]]) {axis = 2
func.func @blocks(%x: tensor<1x3x4x6xf32>) -> tensor<1x3x2x4x2x8xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<6x2x2x8xf32>
  %0 = "ipu.einsum"(%x, %w) {equation = "nxyc,cijf->nxiyjf"} : (tensor<1x3x4x6xf32>, tensor<6x2x2x8xf32>) -> tensor<1x3x2x4x2x8xf32>
  return %0 : tensor<1x3x2x4x2x8xf32>
}

// -----

// Channels that are shuffled between groups are woven by one op.
// CHECK-LABEL: @shuffle
// CHECK-NEXT: %[[Y:.*]] = "ipu.interleave"(%arg0) : (tensor<1x3x5x2x4xf32>) -> tensor<1x3x5x8xf32>
// CHECK-NEXT: return %[[Y]]
func.func @shuffle(%x: tensor<1x3x5x2x4xf32>) -> tensor<1x3x5x8xf32> {
  %0 = "ipu.transpose"(%x) {permutation = array<i64: 0, 1, 2, 4, 3>} : (tensor<1x3x5x2x4xf32>) -> tensor<1x3x5x4x2xf32>
  %1 = "ipu.reshape"(%0) {shape = array<i64: 1, 3, 5, 8>} : (tensor<1x3x5x4x2xf32>) -> tensor<1x3x5x8xf32>
  return %1 : tensor<1x3x5x8xf32>
}

// -----

// Channels that are shuffled behind a product in groups are computed in their order.
// CHECK-LABEL: @shuffled
// CHECK: %[[W:.*]] = "ipu.parameter"() {{.*}} -> tensor<2x3x16xf32>
// CHECK-NEXT: %[[Y:.*]] = "ipu.shuffled_matmul"(%arg0, %[[W]])
// CHECK-NEXT: "ipu.relu"(%[[Y]])
// CHECK-NOT: "ipu.interleave"
func.func @shuffled(%x: tensor<1x3x7x6xf32>) -> tensor<1x3x7x32xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<1x1x3x32xf32>
  %0 = "ipu.conv"(%x, %w) {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 2 : i64} : (tensor<1x3x7x6xf32>, tensor<1x1x3x32xf32>) -> tensor<1x3x7x32xf32>
  %1 = "ipu.relu"(%0) : (tensor<1x3x7x32xf32>) -> tensor<1x3x7x32xf32>
  %2 = "ipu.reshape"(%1) {shape = array<i64: 1, 3, 7, 2, 16>} : (tensor<1x3x7x32xf32>) -> tensor<1x3x7x2x16xf32>
  %3 = "ipu.transpose"(%2) {permutation = array<i64: 0, 1, 2, 4, 3>} : (tensor<1x3x7x2x16xf32>) -> tensor<1x3x7x16x2xf32>
  %4 = "ipu.reshape"(%3) {shape = array<i64: 1, 3, 7, 32>} : (tensor<1x3x7x16x2xf32>) -> tensor<1x3x7x32xf32>
  return %4 : tensor<1x3x7x32xf32>
}

// -----

// Other dimensions than the woven ones stay as they are.
// CHECK-LABEL: @rows
// CHECK-NOT: ipu.interleave
// CHECK: return
func.func @rows(%x: tensor<1x3x5x4xf32>) -> tensor<1x15x4xf32> {
  %0 = "ipu.transpose"(%x) {permutation = array<i64: 0, 2, 1, 3>} : (tensor<1x3x5x4xf32>) -> tensor<1x5x3x4xf32>
  %1 = "ipu.reshape"(%0) {shape = array<i64: 1, 15, 4>} : (tensor<1x5x3x4xf32>) -> tensor<1x15x4xf32>
  return %1 : tensor<1x15x4xf32>
}

// -----

// The recurrence of a layer lies in blocks that have columns of all four gates.
// CHECK-LABEL: @recurrence
// CHECK: "ipu.parameter"(){{.*}} -> tensor<1x2x64x128xf32>
// NARROW-LABEL: @recurrence
// NARROW: "ipu.parameter"(){{.*}} -> tensor<1x4x64x64xf32>
func.func @recurrence(%x: tensor<3x1x256xf32>, %s: tensor<1x1x64xf32>) -> tensor<3x1x1x64xf32> {
  %r = "ipu.parameter"() {key = "r"} : () -> tensor<1x1x64x256xf32>
  %0 = "ipu.lstm"(%x, %r, %s, %s) {direction = "forward", cells = false} : (tensor<3x1x256xf32>, tensor<1x1x64x256xf32>, tensor<1x1x64xf32>, tensor<1x1x64xf32>) -> tensor<3x1x1x64xf32>
  return %0 : tensor<3x1x1x64xf32>
}

// -----

// A layer of three gates has blocks of three times as many columns.
// CHECK-LABEL: @gated
// CHECK: "ipu.parameter"(){{.*}} -> tensor<1x2x64x96xf32>
func.func @gated(%x: tensor<3x1x192xf32>, %b: tensor<1x64xf32>, %s: tensor<1x1x64xf32>) -> tensor<3x1x1x64xf32> {
  %r = "ipu.parameter"() {key = "r"} : () -> tensor<1x1x64x192xf32>
  %0 = "ipu.gru"(%x, %r, %b, %s) {direction = "forward", linear_before_reset = true} : (tensor<3x1x192xf32>, tensor<1x1x64x192xf32>, tensor<1x64xf32>, tensor<1x1x64xf32>) -> tensor<3x1x1x64xf32>
  return %0 : tensor<3x1x1x64xf32>
}

// -----

// A computed scale of each channel multiplies the weights, which are fewer than the pixels.
// CHECK-LABEL: @excitation
// CHECK: "ipu.multiply"({{.*}}) : (tensor<8x32xf32>, tensor<8x1xf32>) -> tensor<8x32xf32>
// CHECK-NEXT: %[[W:.*]] = "ipu.reshape"({{.*}} -> tensor<1x1x8x32xf32>
// CHECK-NEXT: "ipu.packed_matmul"(%arg0, %[[W]])
func.func @excitation(%x: tensor<1x9x9x8xf32>, %s: tensor<1x1x1x8xf32>) -> tensor<1x9x9x32xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<1x1x8x32xf32>
  %0 = "ipu.multiply"(%x, %s) : (tensor<1x9x9x8xf32>, tensor<1x1x1x8xf32>) -> tensor<1x9x9x8xf32>
  %1 = "ipu.conv"(%0, %w) {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x9x9x8xf32>, tensor<1x1x8x32xf32>) -> tensor<1x9x9x32xf32>
  return %1 : tensor<1x9x9x32xf32>
}

// -----

// Few pixels are scaled themselves.
// CHECK-LABEL: @few_pixels
// CHECK: "ipu.multiply"(%arg0, %arg1)
func.func @few_pixels(%x: tensor<1x3x3x8xf32>, %s: tensor<1x1x1x8xf32>) -> tensor<1x3x3x32xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<1x1x8x32xf32>
  %0 = "ipu.multiply"(%x, %s) : (tensor<1x3x3x8xf32>, tensor<1x1x1x8xf32>) -> tensor<1x3x3x8xf32>
  %1 = "ipu.conv"(%0, %w) {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x3x3x8xf32>, tensor<1x1x8x32xf32>) -> tensor<1x3x3x32xf32>
  return %1 : tensor<1x3x3x32xf32>
}

// -----

// Integers are multiplied four by four: three channels get one more.
// CHECK: "ipu.pad"(%arg0) {{.*}}high = array<i64: 0, 0, 0, 1>
// CHECK: "ipu.quad_conv"({{.*}}) {dilations = array<i64: 1, 1>, groups = 1 : i64, strides = array<i64: 1, 1>} : (tensor<1x6x6x4xui8>, tensor<1x3x3x1x32x4xi8>) -> tensor<1x4x4x32xi32>
func.func @main(%x: tensor<1x6x6x3xui8>) -> tensor<1x4x4x32xi32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<3x3x3x32xi8>
  %0 = "ipu.conv"(%x, %w) {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x6x6x3xui8>, tensor<3x3x3x32xi8>) -> tensor<1x4x4x32xi32>
  return %0 : tensor<1x4x4x32xi32>
}

// -----

// One channel of each group is no four.
// CHECK: "ipu.conv"
func.func @main(%x: tensor<1x6x6x32xui8>) -> tensor<1x4x4x32xi32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<3x3x1x32xi8>
  %0 = "ipu.conv"(%x, %w) {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 32 : i64} : (tensor<1x6x6x32xui8>, tensor<3x3x1x32xi8>) -> tensor<1x4x4x32xi32>
  return %0 : tensor<1x4x4x32xi32>
}
