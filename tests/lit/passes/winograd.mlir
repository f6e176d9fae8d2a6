// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-winograd | filecheck %s
// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-winograd{largest=2} | filecheck %s --check-prefix=SMALL
// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-winograd --remarks 2>&1 | filecheck %s --check-prefix=REMARK
// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-winograd{largest=0} | filecheck %s --check-prefix=NONE
// NONE-NOT: winograd

// Input and weights are brought into 36 planes, each is multiplied, and planes become tiles of 4 x 4.
// CHECK-LABEL: @tiles
// CHECK-DAG: %[[X:.*]] = "ipu.winograd_input"(%arg0) {size = 4 : i64} : (tensor<1x18x34x64xf32>) -> tensor<1x4x36x8x64xf32>
// CHECK-DAG: %[[W:.*]] = "ipu.parameter"() {key = "w.winograd_weights"} : () -> tensor<36x3x64x32xf32>
// CHECK: %[[P:.*]] = "ipu.winograd_product"(%[[X]], %[[W]]){{.*}} -> tensor<1x4x36x8x96xf32>
// CHECK-NEXT: "ipu.winograd_output"(%[[P]]) {crop = array<i64: 0, 0>, size = 4 : i64}{{.*}} -> tensor<1x16x32x96xf32>
// SMALL-LABEL: @tiles
// SMALL: "ipu.winograd_output"{{.*}}size = 2 : i64{{.*}} -> tensor<1x16x32x96xf32>
func.func @tiles(%x: tensor<1x18x34x64xf32>) -> tensor<1x16x32x96xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<3x3x64x96xf32>
  %0 = "ipu.conv"(%x, %w) {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x18x34x64xf32>, tensor<3x3x64x96xf32>) -> tensor<1x16x32x96xf32>
  return %0 : tensor<1x16x32x96xf32>
}

// -----

// Where tiles reach beyond the result, the border is wider and the rest is cut off.
// CHECK-LABEL: @rest
// CHECK: %[[PAD:.*]] = "ipu.pad"(%arg0) {high = array<i64: 0, 3, 2, 0>,{{.*}}low = array<i64: 0, 1, 1, 0>{{.*}} -> tensor<1x18x34x64xf32>
// CHECK-NOT: ipu.pad
// CHECK: "ipu.winograd_output"{{.*}}crop = array<i64: 2, 1>{{.*}} -> tensor<1x14x31x64xf32>
func.func @rest(%x: tensor<1x14x31x64xf32>) -> tensor<1x14x31x64xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<3x3x64x64xf32>
  %0 = "ipu.pad"(%x) {low = array<i64: 0, 1, 1, 0>, high = array<i64: 0, 1, 1, 0>, interior = array<i64: 0, 0, 0, 0>, value = 0.0 : f64} : (tensor<1x14x31x64xf32>) -> tensor<1x16x33x64xf32>
  %1 = "ipu.conv"(%0, %w) {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x16x33x64xf32>, tensor<3x3x64x64xf32>) -> tensor<1x14x31x64xf32>
  return %1 : tensor<1x14x31x64xf32>
}

// -----

// A stride stays.
// CHECK-LABEL: @stride
// CHECK: ipu.conv
// REMARK: remark: ipu-winograd: is no dense convolution of 3 x 3 without strides and dilations
func.func @stride(%x: tensor<1x17x17x64xf32>) -> tensor<1x8x8x64xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<3x3x64x64xf32>
  %0 = "ipu.conv"(%x, %w) {strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x17x17x64xf32>, tensor<3x3x64x64xf32>) -> tensor<1x8x8x64xf32>
  return %0 : tensor<1x8x8x64xf32>
}

// -----

// So do sixteen bits.
// CHECK-LABEL: @half
// CHECK: ipu.conv
// REMARK: remark: ipu-winograd: computes in f16, and only fp32 has digits to spare
func.func @half(%x: tensor<1x18x18x64xf16>) -> tensor<1x16x16x64xf16> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<3x3x64x64xf16>
  %0 = "ipu.conv"(%x, %w) {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x18x18x64xf16>, tensor<3x3x64x64xf16>) -> tensor<1x16x16x64xf16>
  return %0 : tensor<1x16x16x64xf16>
}

// -----

// Computed weights stay as well.
// CHECK-LABEL: @unknown
// CHECK: ipu.conv
// REMARK: remark: ipu-winograd: has weights that are not known
func.func @unknown(%x: tensor<1x18x18x64xf32>, %w: tensor<3x3x64x64xf32>) -> tensor<1x16x16x64xf32> {
  %0 = "ipu.conv"(%x, %w) {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x18x18x64xf32>, tensor<3x3x64x64xf32>) -> tensor<1x16x16x64xf32>
  return %0 : tensor<1x16x16x64xf32>
}

// -----

// Three channels fill no vector.
// CHECK-LABEL: @few
// CHECK: ipu.conv
// REMARK: remark: ipu-winograd: has 3 channels and 64 filters, which are not multiples of 8
func.func @few(%x: tensor<1x18x18x3xf32>) -> tensor<1x16x16x64xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<3x3x3x64xf32>
  %0 = "ipu.conv"(%x, %w) {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x18x18x3xf32>, tensor<3x3x3x64xf32>) -> tensor<1x16x16x64xf32>
  return %0 : tensor<1x16x16x64xf32>
}

// -----

// One row of pixels would wait for more weights.
// CHECK-LABEL: @row
// CHECK: ipu.conv
// REMARK: remark: ipu-winograd: is estimated to be faster as it is
func.func @row(%x: tensor<1x3x10x256xf32>) -> tensor<1x1x8x256xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<3x3x256x256xf32>
  %0 = "ipu.conv"(%x, %w) {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x3x10x256xf32>, tensor<3x3x256x256xf32>) -> tensor<1x1x8x256xf32>
  return %0 : tensor<1x1x8x256xf32>
}
