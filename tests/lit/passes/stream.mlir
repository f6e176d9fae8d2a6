// RUN: pyipu-opt %s --split-input-file "--pass-pipeline=ipu-fuse,ipu-stream{peak=1}" | filecheck %s

// Rows go through both vertices before the next ones do; two rows are joined with the next one.
// CHECK: attributes {ipu.expected_bytes = {{[0-9]+}}
// CHECK: "ipu.slice"(%arg0) {offsets = array<i64: 0, 0, 0, 0>, sizes = array<i64: 1, 1, 8, 4>
// CHECK: {codelet = @exp_0_strip_{{[0-9]}}
// CHECK: "ipu.slice"(%arg0) {offsets = array<i64: 0, 1, 0, 0>, sizes = array<i64: 1, 1, 8, 4>
// CHECK: %[[FIRST:.*]] = "ipu.concat"
// CHECK: "ipu.vertex"(%[[FIRST]]) {codelet = @max_pool_1_strip_{{[0-9]}}
// CHECK: "ipu.slice"(%[[FIRST]]) {offsets = array<i64: 0, 1, 0, 0>, sizes = array<i64: 1, 2, 8, 4>
// CHECK: "ipu.concat"{{.*}} {axis = 1
func.func @main(%x: tensor<1x32x8x4xf32>) -> tensor<1x30x6x4xf32> {
  %0 = "ipu.exp"(%x) : (tensor<1x32x8x4xf32>) -> tensor<1x32x8x4xf32>
  %1 = "ipu.max_pool"(%0) {window = array<i64: 3, 3>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>} : (tensor<1x32x8x4xf32>) -> tensor<1x30x6x4xf32>
  return %1 : tensor<1x30x6x4xf32>
}

// -----

// A reduction over rows needs them all: nothing runs in strips.
// CHECK: func.func @main(%arg0: tensor<1x32x8x4xf32>) -> tensor<1x1x8x4xf32>
// CHECK-NEXT: "ipu.vertex"(%arg0)
// CHECK-NEXT: "ipu.vertex"
func.func @main(%x: tensor<1x32x8x4xf32>) -> tensor<1x1x8x4xf32> {
  %0 = "ipu.exp"(%x) : (tensor<1x32x8x4xf32>) -> tensor<1x32x8x4xf32>
  %1 = "ipu.reduce_sum"(%0) {axes = array<i64: 1>, keep = true} : (tensor<1x32x8x4xf32>) -> tensor<1x1x8x4xf32>
  return %1 : tensor<1x1x8x4xf32>
}

// -----

// The input of a network has its rows where its transposition puts them.
// CHECK: "ipu.slice"(%arg0) {offsets = array<i64: 0, 0, 0, 0>, sizes = array<i64: 1, 4, 1, 8>
// CHECK: {codelet = @transpose_0_strip
// CHECK: {codelet = @max_pool_1_strip
// CHECK: "ipu.slice"(%arg0) {offsets = array<i64: 0, 0, 2, 0>, sizes = array<i64: 1, 4, 1, 8>
func.func @main(%x: tensor<1x4x32x8xf32>) -> tensor<1x16x4x4xf32> {
  %0 = "ipu.transpose"(%x) {permutation = array<i64: 0, 2, 3, 1>} : (tensor<1x4x32x8xf32>) -> tensor<1x32x8x4xf32>
  %1 = "ipu.max_pool"(%0) {window = array<i64: 2, 2>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>} : (tensor<1x32x8x4xf32>) -> tensor<1x16x4x4xf32>
  return %1 : tensor<1x16x4x4xf32>
}

// -----

// Strips behind a reduction over all rows read what the strips in front of it have put together.
// CHECK: %[[JOINED:.*]] = "ipu.concat"{{.*}} -> tensor<1x30x6x4xf32>
// CHECK: "ipu.vertex"(%[[JOINED]]) {codelet = @reduce_sum_2,
// CHECK: "ipu.slice"(%[[JOINED]]){{.*}}sizes = array<i64: 1, 1, 6, 4>
// CHECK: {codelet = @multiply_3_strip
func.func @main(%x: tensor<1x32x8x4xf32>) -> tensor<1x28x4x4xf32> {
  %0 = "ipu.exp"(%x) : (tensor<1x32x8x4xf32>) -> tensor<1x32x8x4xf32>
  %1 = "ipu.max_pool"(%0) {window = array<i64: 3, 3>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>} : (tensor<1x32x8x4xf32>) -> tensor<1x30x6x4xf32>
  %2 = "ipu.reduce_sum"(%1) {axes = array<i64: 1, 2>, keep = true} : (tensor<1x30x6x4xf32>) -> tensor<1x1x1x4xf32>
  %3 = "ipu.multiply"(%1, %2) : (tensor<1x30x6x4xf32>, tensor<1x1x1x4xf32>) -> tensor<1x30x6x4xf32>
  %4 = "ipu.max_pool"(%3) {window = array<i64: 3, 3>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>} : (tensor<1x30x6x4xf32>) -> tensor<1x28x4x4xf32>
  return %4 : tensor<1x28x4x4xf32>
}

// -----

// Rows that are repeated in turn run in strips of a whole number of them.
// CHECK: "ipu.slice"(%arg0) {offsets = array<i64: 0, 0, 0, 0, 0, 0>, sizes = array<i64: 1, 1, 1, 8, 1, 4>
// CHECK: {codelet = @broadcast_0_strip_{{[0-9]}}{{.*}} -> tensor<1x1x2x8x2x4xf32>
// CHECK: "ipu.reshape"({{.*}}) {shape = array<i64: 1, 2, 16, 4>}
// CHECK: {codelet = @max_pool_1_strip
func.func @main(%x: tensor<1x32x1x8x1x4xf32>) -> tensor<1x62x14x4xf32> {
  %0 = "ipu.broadcast"(%x) {shape = array<i64: 1, 32, 2, 8, 2, 4>} : (tensor<1x32x1x8x1x4xf32>) -> tensor<1x32x2x8x2x4xf32>
  %1 = "ipu.reshape"(%0) {shape = array<i64: 1, 64, 16, 4>} : (tensor<1x32x2x8x2x4xf32>) -> tensor<1x64x16x4xf32>
  %2 = "ipu.max_pool"(%1) {window = array<i64: 3, 3>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>} : (tensor<1x64x16x4xf32>) -> tensor<1x62x14x4xf32>
  return %2 : tensor<1x62x14x4xf32>
}

// -----

// Tiles run in strips of whole rows of tiles, which overlap by two rows; the last strip is cut.
// CHECK: "ipu.slice"(%arg0) {offsets = array<i64: 0, 0, 0, 0>, sizes = array<i64: 1, 6, 6, 8>
// CHECK: {codelet = @winograd_input_0_strip_{{[0-9]+}}{{.*}} -> tensor<1x1x36x1x8xf32>
// CHECK: {codelet = @winograd_output_2_strip_{{[0-9]+}}{{.*}} -> tensor<1x4x4x8xf32>
// CHECK: "ipu.slice"(%arg0) {offsets = array<i64: 0, 4, 0, 0>, sizes = array<i64: 1, 6, 6, 8>
// CHECK: {codelet = @winograd_output_2_strip_{{[0-9]+}}{{.*}} -> tensor<1x2x4x8xf32>
func.func @main(%x: tensor<1x30x6x8xf32>) -> tensor<1x26x4x8xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<36x1x8x8xf32>
  %0 = "ipu.winograd_input"(%x) {size = 4 : i64} : (tensor<1x30x6x8xf32>) -> tensor<1x7x36x1x8xf32>
  %1 = "ipu.winograd_product"(%0, %w) : (tensor<1x7x36x1x8xf32>, tensor<36x1x8x8xf32>) -> tensor<1x7x36x1x8xf32>
  %2 = "ipu.winograd_output"(%1) {crop = array<i64: 2, 0>, size = 4 : i64} : (tensor<1x7x36x1x8xf32>) -> tensor<1x26x4x8xf32>
  return %2 : tensor<1x26x4x8xf32>
}

// -----

// What is read as a whole is computed before the strips that read it, though it has rows, too.
// CHECK: %[[WHOLE:.*]] = "ipu.vertex"(%arg1) {codelet = @softmax_0,
// CHECK: "ipu.vertex"({{.*}}%[[WHOLE]]{{.*}}) {codelet = @add_1_strip
func.func @main(%x: tensor<1x32x2x8x4xf32>, %y: tensor<1x8x4xf32>) -> tensor<1x30x2x8x4xf32> {
  %0 = "ipu.softmax"(%y) {axis = 2 : i64} : (tensor<1x8x4xf32>) -> tensor<1x8x4xf32>
  %1 = "ipu.add"(%x, %0) : (tensor<1x32x2x8x4xf32>, tensor<1x8x4xf32>) -> tensor<1x32x2x8x4xf32>
  %2 = "ipu.max_pool"(%1) {window = array<i64: 3, 1, 1>, strides = array<i64: 1, 1, 1>, dilations = array<i64: 1, 1, 1>} : (tensor<1x32x2x8x4xf32>) -> tensor<1x30x2x8x4xf32>
  return %2 : tensor<1x30x2x8x4xf32>
}

// -----

// A normalization over what lies in a row runs in strips.
// CHECK: "ipu.slice"(%arg0) {offsets = array<i64: 0, 0, 0, 0>, sizes = array<i64: 1, 1, 8, 4>
// CHECK: {codelet = @standardize_0_strip
// CHECK: {codelet = @max_pool_1_strip
func.func @main(%x: tensor<1x32x8x4xf32>) -> tensor<1x30x6x4xf32> {
  %0 = "ipu.standardize"(%x) {axes = array<i64: 2, 3>, epsilon = 1.0e-05 : f64} : (tensor<1x32x8x4xf32>) -> tensor<1x32x8x4xf32>
  %1 = "ipu.max_pool"(%0) {window = array<i64: 3, 3>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>} : (tensor<1x32x8x4xf32>) -> tensor<1x30x6x4xf32>
  return %1 : tensor<1x30x6x4xf32>
}

// -----

// One over the rows needs them all.
// CHECK: func.func @main(%arg0: tensor<1x32x8x4xf32>) -> tensor<1x30x6x4xf32>
// CHECK-NEXT: "ipu.vertex"(%arg0) {codelet = @standardize_0,
// CHECK-NEXT: "ipu.vertex"{{.*}} {codelet = @max_pool_1,
// CHECK-NEXT: return
func.func @main(%x: tensor<1x32x8x4xf32>) -> tensor<1x30x6x4xf32> {
  %0 = "ipu.standardize"(%x) {axes = array<i64: 1, 2>, epsilon = 1.0e-05 : f64} : (tensor<1x32x8x4xf32>) -> tensor<1x32x8x4xf32>
  %1 = "ipu.max_pool"(%0) {window = array<i64: 3, 3>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>} : (tensor<1x32x8x4xf32>) -> tensor<1x30x6x4xf32>
  return %1 : tensor<1x30x6x4xf32>
}

// -----

// Attention runs for some queries at a time, and reads their rows of the mask; keys and values it reads as a whole.
// CHECK: "ipu.slice"(%arg0) {offsets = array<i64: 0, 0, 0, 0>, sizes = array<i64: 1, [[N:[0-9]+]], 2, 4>
// CHECK: "ipu.slice"(%arg3) {offsets = array<i64: 0, 0, 0, 0>, sizes = array<i64: 1, 1, [[N]], 16>
// CHECK: "ipu.vertex"({{.*}}, %arg1, %arg2, {{.*}}) {codelet = @attention_0_strip
// CHECK: {codelet = @max_pool_1_strip
func.func @main(%q: tensor<1x32x2x4xf32>, %k: tensor<1x16x2x4xf32>, %v: tensor<1x16x2x4xf32>, %m: tensor<1x1x32x16xf32>) -> tensor<1x30x2x4xf32> {
  %0 = "ipu.attention"(%q, %k, %v, %m) {scale = 0.5 : f64} : (tensor<1x32x2x4xf32>, tensor<1x16x2x4xf32>, tensor<1x16x2x4xf32>, tensor<1x1x32x16xf32>) -> tensor<1x32x2x4xf32>
  %1 = "ipu.max_pool"(%0) {window = array<i64: 3, 1>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>} : (tensor<1x32x2x4xf32>) -> tensor<1x30x2x4xf32>
  return %1 : tensor<1x30x2x4xf32>
}

// -----

// A mask for all queries is read as a whole.
// CHECK: "ipu.vertex"({{.*}}, %arg1, %arg2, %arg3) {codelet = @attention_0_strip
func.func @main(%q: tensor<1x32x2x4xf32>, %k: tensor<1x16x2x4xf32>, %v: tensor<1x16x2x4xf32>, %m: tensor<1x1x1x16xf32>) -> tensor<1x30x2x4xf32> {
  %0 = "ipu.attention"(%q, %k, %v, %m) {scale = 0.5 : f64} : (tensor<1x32x2x4xf32>, tensor<1x16x2x4xf32>, tensor<1x16x2x4xf32>, tensor<1x1x1x16xf32>) -> tensor<1x32x2x4xf32>
  %1 = "ipu.max_pool"(%0) {window = array<i64: 3, 1>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>} : (tensor<1x32x2x4xf32>) -> tensor<1x30x2x4xf32>
  return %1 : tensor<1x30x2x4xf32>
}

// -----

// Whose queries are its keys needs all rows at once.
// CHECK: func.func @main(%arg0: tensor<1x32x2x4xf32>) -> tensor<1x30x2x4xf32>
// CHECK-NEXT: "ipu.vertex"(%arg0) {codelet = @attention_0,
// CHECK-NEXT: "ipu.vertex"{{.*}} {codelet = @max_pool_1,
// CHECK-NEXT: return
func.func @main(%x: tensor<1x32x2x4xf32>) -> tensor<1x30x2x4xf32> {
  %0 = "ipu.attention"(%x, %x, %x) {scale = 0.5 : f64} : (tensor<1x32x2x4xf32>, tensor<1x32x2x4xf32>, tensor<1x32x2x4xf32>) -> tensor<1x32x2x4xf32>
  %1 = "ipu.max_pool"(%0) {window = array<i64: 3, 1>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>} : (tensor<1x32x2x4xf32>) -> tensor<1x30x2x4xf32>
  return %1 : tensor<1x30x2x4xf32>
}
