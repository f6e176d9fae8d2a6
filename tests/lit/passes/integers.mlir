// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-integers | filecheck %s
// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-integers --remarks 2>&1 | filecheck %s --check-prefix=REMARK

// A product of what integers stand for is one of integers, less the zero point times the sums of the weights.
// CHECK: %[[SUM:.*]] = "ipu.matmul"(%arg0, %[[W:.*]]) : (tensor<2x2xui8>, tensor<2x2xi8>) -> tensor<2x2xi32>
// CHECK: value = dense<[-12, -18]> : tensor<2xi32>
// CHECK: "ipu.add"(%[[SUM]]
// CHECK: "ipu.cast"({{.*}}) {dtype = "f32"}
// CHECK: "ipu.multiply"
func.func @main(%x: tensor<2x2xui8>) -> tensor<2x2xf32> {
  %s = "ipu.constant"() {value = dense<0.5> : tensor<f32>} : () -> tensor<f32>
  %z = "ipu.constant"() {value = dense<3> : tensor<ui8>} : () -> tensor<ui8>
  %w = "ipu.constant"() {value = dense<[[1, 2], [3, 4]]> : tensor<2x2xi8>} : () -> tensor<2x2xi8>
  %n = "ipu.constant"() {value = dense<0> : tensor<i8>} : () -> tensor<i8>
  %0 = "ipu.dequantize"(%x, %s, %z) : (tensor<2x2xui8>, tensor<f32>, tensor<ui8>) -> tensor<2x2xf32>
  %1 = "ipu.dequantize"(%w, %s, %n) : (tensor<2x2xi8>, tensor<f32>, tensor<i8>) -> tensor<2x2xf32>
  %2 = "ipu.matmul"(%0, %1) : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  return %2 : tensor<2x2xf32>
}

// -----

// A bias of whole steps is added to the integers.
// CHECK: value = dense<[4, -8]> : tensor<2xi32>
// CHECK: "ipu.add"({{.*}}) : (tensor<2x2xi32>, tensor<2xi32>) -> tensor<2x2xi32>
// CHECK-NOT: "ipu.add"({{.*}}f32
func.func @main(%x: tensor<2x2xi32>) -> tensor<2x2xf32> {
  %s = "ipu.constant"() {value = dense<0.25> : tensor<f32>} : () -> tensor<f32>
  %b = "ipu.constant"() {value = dense<[1.0, -2.0]> : tensor<2xf32>} : () -> tensor<2xf32>
  %0 = "ipu.cast"(%x) {dtype = "f32"} : (tensor<2x2xi32>) -> tensor<2x2xf32>
  %1 = "ipu.multiply"(%0, %s) : (tensor<2x2xf32>, tensor<f32>) -> tensor<2x2xf32>
  %2 = "ipu.add"(%1, %b) : (tensor<2x2xf32>, tensor<2xf32>) -> tensor<2x2xf32>
  %q = "ipu.constant"() {value = dense<0> : tensor<ui8>} : () -> tensor<ui8>
  %3 = "ipu.quantize"(%2, %s, %q) : (tensor<2x2xf32>, tensor<f32>, tensor<ui8>) -> tensor<2x2xui8>
  %4 = "ipu.dequantize"(%3, %s, %q) : (tensor<2x2xui8>, tensor<f32>, tensor<ui8>) -> tensor<2x2xf32>
  return %4 : tensor<2x2xf32>
}

// -----

// What moves elements moves integers; a border of zeros is one of the zero point.
// CHECK: %[[PAD:.*]] = "ipu.pad"(%arg0) {{.*}}value = 3.000000e+00 : f64} : (tensor<2xui8>) -> tensor<4xui8>
// CHECK: %[[SHAPE:.*]] = "ipu.reshape"(%[[PAD]])
// CHECK: "ipu.dequantize"(%[[SHAPE]]
func.func @main(%x: tensor<2xui8>) -> tensor<2x2xf32> {
  %s = "ipu.constant"() {value = dense<0.5> : tensor<f32>} : () -> tensor<f32>
  %z = "ipu.constant"() {value = dense<3> : tensor<ui8>} : () -> tensor<ui8>
  %0 = "ipu.dequantize"(%x, %s, %z) : (tensor<2xui8>, tensor<f32>, tensor<ui8>) -> tensor<2xf32>
  %1 = "ipu.pad"(%0) {low = array<i64: 1>, high = array<i64: 1>, interior = array<i64: 0>, value = 0.0 : f64} : (tensor<2xf32>) -> tensor<4xf32>
  %2 = "ipu.reshape"(%1) {shape = array<i64: 2, 2>} : (tensor<4xf32>) -> tensor<2x2xf32>
  return %2 : tensor<2x2xf32>
}

// -----

// A border that no integer stands for stays one of numbers.
// CHECK: "ipu.dequantize"(%arg0
// CHECK: "ipu.pad"({{.*}}value = 1.250000e+00
func.func @main(%x: tensor<2xui8>) -> tensor<4xf32> {
  %s = "ipu.constant"() {value = dense<0.5> : tensor<f32>} : () -> tensor<f32>
  %z = "ipu.constant"() {value = dense<3> : tensor<ui8>} : () -> tensor<ui8>
  %0 = "ipu.dequantize"(%x, %s, %z) : (tensor<2xui8>, tensor<f32>, tensor<ui8>) -> tensor<2xf32>
  %1 = "ipu.pad"(%0) {low = array<i64: 1>, high = array<i64: 1>, interior = array<i64: 0>, value = 1.25 : f64} : (tensor<2xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// -----

// The largest integer of each window stands for the largest number.
// CHECK: "ipu.pad"(%arg0) {{.*}}value = 0.000000e+00
// CHECK: %[[POOL:.*]] = "ipu.max_pool"({{.*}}-> tensor<1x2x1xui8>
// CHECK: "ipu.dequantize"(%[[POOL]]
func.func @main(%x: tensor<1x2x1xui8>) -> tensor<1x2x1xf32> {
  %s = "ipu.constant"() {value = dense<0.5> : tensor<f32>} : () -> tensor<f32>
  %z = "ipu.constant"() {value = dense<3> : tensor<ui8>} : () -> tensor<ui8>
  %0 = "ipu.dequantize"(%x, %s, %z) : (tensor<1x2x1xui8>, tensor<f32>, tensor<ui8>) -> tensor<1x2x1xf32>
  %1 = "ipu.pad"(%0) {low = array<i64: 0, 1, 0>, high = array<i64: 0, 0, 0>, interior = array<i64: 0, 0, 0>, value = 0xFFF0000000000000 : f64} : (tensor<1x2x1xf32>) -> tensor<1x3x1xf32>
  %2 = "ipu.max_pool"(%1) {window = array<i64: 2>, strides = array<i64: 1>, dilations = array<i64: 1>} : (tensor<1x3x1xf32>) -> tensor<1x2x1xf32>
  return %2 : tensor<1x2x1xf32>
}

// -----

// Integers of i8 become those of ui8 that are larger by 128, and back where they leave.
// CHECK: value = dense<125> : tensor<ui8>
// CHECK: %[[Q:.*]] = "ipu.quantize"({{.*}}) {{.*}} -> tensor<2xui8>
// CHECK: %[[MOVED:.*]] = "ipu.add"(%[[Q]]
// CHECK: "ipu.cast"(%[[MOVED]]) {dtype = "i8"}
func.func @main(%x: tensor<2xf32>) -> tensor<2xi8> {
  %s = "ipu.constant"() {value = dense<0.5> : tensor<f32>} : () -> tensor<f32>
  %z = "ipu.constant"() {value = dense<-3> : tensor<i8>} : () -> tensor<i8>
  %0 = "ipu.quantize"(%x, %s, %z) : (tensor<2xf32>, tensor<f32>, tensor<i8>) -> tensor<2xi8>
  return %0 : tensor<2xi8>
}

// -----

// Quantizing what was dequantized with the same steps is nothing; with others it is something.
// CHECK: func.func @main
// CHECK-COUNT-1: "ipu.quantize"
// CHECK-NOT: "ipu.quantize"
func.func @main(%x: tensor<2xui8>) -> (tensor<2xui8>, tensor<2xui8>) {
  %s = "ipu.constant"() {value = dense<0.5> : tensor<f32>} : () -> tensor<f32>
  %t = "ipu.constant"() {value = dense<0.75> : tensor<f32>} : () -> tensor<f32>
  %z = "ipu.constant"() {value = dense<3> : tensor<ui8>} : () -> tensor<ui8>
  %0 = "ipu.dequantize"(%x, %s, %z) : (tensor<2xui8>, tensor<f32>, tensor<ui8>) -> tensor<2xf32>
  %1 = "ipu.quantize"(%0, %s, %z) : (tensor<2xf32>, tensor<f32>, tensor<ui8>) -> tensor<2xui8>
  %2 = "ipu.quantize"(%0, %t, %z) : (tensor<2xf32>, tensor<f32>, tensor<ui8>) -> tensor<2xui8>
  return %1, %2 : tensor<2xui8>, tensor<2xui8>
}

// -----

// Sums over an image are sums of integers.
// CHECK: %[[WIDE:.*]] = "ipu.cast"(%arg0) {dtype = "i32"}
// CHECK: "ipu.reduce_sum"(%[[WIDE]])
// CHECK: value = dense<-12> : tensor<i32>
func.func @main(%x: tensor<2x4xui8>) -> tensor<2xf32> {
  %s = "ipu.constant"() {value = dense<0.5> : tensor<f32>} : () -> tensor<f32>
  %z = "ipu.constant"() {value = dense<3> : tensor<ui8>} : () -> tensor<ui8>
  %0 = "ipu.dequantize"(%x, %s, %z) : (tensor<2x4xui8>, tensor<f32>, tensor<ui8>) -> tensor<2x4xf32>
  %1 = "ipu.reduce_sum"(%0) {axes = array<i64: 1>, keep = false} : (tensor<2x4xf32>) -> tensor<2xf32>
  return %1 : tensor<2xf32>
}

// -----

// Weights around another number than zero need more than 8 bits.
// REMARK: is computed in floating point: its weights have a zero point that is not 0
// CHECK: "ipu.matmul"({{.*}} -> tensor<2x2xf32>
func.func @main(%x: tensor<2x2xui8>) -> tensor<2x2xf32> {
  %s = "ipu.constant"() {value = dense<0.5> : tensor<f32>} : () -> tensor<f32>
  %z = "ipu.constant"() {value = dense<3> : tensor<ui8>} : () -> tensor<ui8>
  %w = "ipu.constant"() {value = dense<[[1, 2], [3, 4]]> : tensor<2x2xi8>} : () -> tensor<2x2xi8>
  %n = "ipu.constant"() {value = dense<1> : tensor<i8>} : () -> tensor<i8>
  %0 = "ipu.dequantize"(%x, %s, %z) : (tensor<2x2xui8>, tensor<f32>, tensor<ui8>) -> tensor<2x2xf32>
  %1 = "ipu.dequantize"(%w, %s, %n) : (tensor<2x2xi8>, tensor<f32>, tensor<i8>) -> tensor<2x2xf32>
  %2 = "ipu.matmul"(%0, %1) : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  return %2 : tensor<2x2xf32>
}

// -----

// Scales along what is added up cannot multiply the sums.
// REMARK: is computed in floating point: its weights have scales that run along what is added up
func.func @main(%x: tensor<2x2xui8>) -> tensor<2x2xf32> {
  %s = "ipu.constant"() {value = dense<0.5> : tensor<f32>} : () -> tensor<f32>
  %z = "ipu.constant"() {value = dense<3> : tensor<ui8>} : () -> tensor<ui8>
  %r = "ipu.constant"() {value = dense<[[0.5], [0.25]]> : tensor<2x1xf32>} : () -> tensor<2x1xf32>
  %w = "ipu.constant"() {value = dense<[[1, 2], [3, 4]]> : tensor<2x2xi8>} : () -> tensor<2x2xi8>
  %n = "ipu.constant"() {value = dense<0> : tensor<i8>} : () -> tensor<i8>
  %0 = "ipu.dequantize"(%x, %s, %z) : (tensor<2x2xui8>, tensor<f32>, tensor<ui8>) -> tensor<2x2xf32>
  %1 = "ipu.dequantize"(%w, %r, %n) : (tensor<2x2xi8>, tensor<2x1xf32>, tensor<i8>) -> tensor<2x2xf32>
  %2 = "ipu.matmul"(%0, %1) : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  return %2 : tensor<2x2xf32>
}
