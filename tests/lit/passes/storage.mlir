// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-fuse,ipu-storage | filecheck %s
// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-fuse,ipu-storage{type=bf16} | filecheck %s --check-prefix=BRAIN

// Between vertices all is stored in 16 bits; inside it is computed with fp32, and the bias is not worth it.
// CHECK-LABEL: func.func @main(%arg0: tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK: "ipu.parameter"() {key = "w.f16"} : () -> tensor<8x8xf16>
// CHECK: "ipu.parameter"() {key = "b"} : () -> tensor<8xf32>
// CHECK: "ipu.vertex"{{.*}} (tensor<4x8xf32>, tensor<8x8xf16>, tensor<8xf32>) -> tensor<4x8xf16>
// CHECK: "ipu.vertex"{{.*}} (tensor<4x8xf16>) -> tensor<4x8xf32>
// CHECK: func.func private @matmul_0
// CHECK-NEXT: %[[W:.*]] = "ipu.cast"(%arg1) {dtype = "f32"}
// CHECK-NEXT: "ipu.matmul"(%arg0, %[[W]]){{.*}} -> tensor<4x8xf32>
// CHECK-NEXT: %[[SUM:.*]] = "ipu.add"
// CHECK-NEXT: "ipu.cast"(%[[SUM]]) {dtype = "f16"}
// BRAIN-LABEL: func.func @main
// BRAIN: "ipu.parameter"() {key = "w.bf16"} : () -> tensor<8x8xbf16>
func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<8x8xf32>
  %b = "ipu.parameter"() {key = "b"} : () -> tensor<8xf32>
  %0 = "ipu.matmul"(%x, %w) : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %1 = "ipu.add"(%0, %b) : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
  %2 = "ipu.softmax"(%1) {axis = 1 : i64} : (tensor<4x8xf32>) -> tensor<4x8xf32>
  return %2 : tensor<4x8xf32>
}

// -----

// Sums of products that were one op in the model are rounded once.
// CHECK-LABEL: func.func @main
// CHECK: %[[SUM:.*]] = "ipu.vertex"{{.*}} -> tensor<4x8xf32>
// CHECK-NEXT: "ipu.vertex"({{.*}}, %[[SUM]]){{.*}} -> tensor<4x8xf16>
func.func @main(%x: tensor<4x8xf32>, %z: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<8x8xf32>
  %0 = "ipu.matmul"(%x, %w) : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32> loc("node")
  %1 = "ipu.matmul"(%z, %w) : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32> loc("node")
  %2 = "ipu.add"(%0, %1) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %3 = "ipu.softmax"(%2) {axis = 1 : i64} : (tensor<4x8xf32>) -> tensor<4x8xf32>
  return %3 : tensor<4x8xf32>
}

// -----

// An input that is only moved is rounded first; movement carries the type that it gets.
// CHECK-LABEL: func.func @main
// CHECK-NEXT: %[[X:.*]] = "ipu.vertex"(%arg0) {codelet = @to_f16_0{{.*}} -> tensor<1x4xf16>
// CHECK-NEXT: "ipu.pad"(%[[X]]){{.*}} -> tensor<3x4xf16>
func.func @main(%x: tensor<1x4xf32>) -> tensor<3x4xf32> {
  %0 = "ipu.pad"(%x) {low = array<i64: 1, 0>, high = array<i64: 1, 0>, interior = array<i64: 0, 0>, value = 0.0 : f64} : (tensor<1x4xf32>) -> tensor<3x4xf32>
  %1 = "ipu.softmax"(%0) {axis = 1 : i64} : (tensor<3x4xf32>) -> tensor<3x4xf32>
  return %1 : tensor<3x4xf32>
}

// -----

// What becomes a result by movement alone is written in fp32; who else reads it reads that.
// CHECK-LABEL: func.func @main
// CHECK-NEXT: %[[E:.*]] = "ipu.vertex"(%arg0){{.*}} -> tensor<1x4xf32>
// CHECK-NEXT: %[[R:.*]] = "ipu.reshape"(%[[E]]){{.*}} -> tensor<4xf32>
// CHECK-NEXT: "ipu.vertex"(%[[E]]){{.*}} : (tensor<1x4xf32>) -> tensor<1x4xf32>
func.func @main(%x: tensor<1x4xf32>) -> (tensor<4xf32>, tensor<1x4xf32>) {
  %0 = "ipu.softmax"(%x) {axis = 1 : i64} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %1 = "ipu.reshape"(%0) {shape = array<i64: 4>} : (tensor<1x4xf32>) -> tensor<4xf32>
  %2 = "ipu.softmax"(%0) {axis = 1 : i64} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  return %1, %2 : tensor<4xf32>, tensor<1x4xf32>
}

// -----

// A table is looked up in 16 bits: nothing is extended on the way.
// CHECK: "ipu.vertex"{{.*}} : (tensor<9x4xf16>, tensor<2xi64>) -> tensor<2x4xf16>
// CHECK: func.func private @gather_0
// CHECK-NEXT: "ipu.gather"{{.*}} -> tensor<2x4xf16>
// CHECK-NEXT: return
func.func @main(%i: tensor<2xi64>) -> tensor<2x4xf32> {
  %t = "ipu.parameter"() {key = "t"} : () -> tensor<9x4xf32>
  %0 = "ipu.gather"(%t, %i) {axis = 0 : i64} : (tensor<9x4xf32>, tensor<2xi64>) -> tensor<2x4xf32>
  %1 = "ipu.softmax"(%0) {axis = 1 : i64} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  return %1 : tensor<2x4xf32>
}

// -----

// Other types than f32 are nobody's business.
// CHECK: func.func @main
// CHECK-NOT: f16
func.func @main(%x: tensor<1x4xf64>, %n: tensor<1x4xi64>) -> (tensor<1x4xf64>, tensor<1x4xi64>) {
  %0 = "ipu.softmax"(%x) {axis = 1 : i64} : (tensor<1x4xf64>) -> tensor<1x4xf64>
  %1 = "ipu.softmax"(%0) {axis = 1 : i64} : (tensor<1x4xf64>) -> tensor<1x4xf64>
  %2 = "ipu.abs"(%n) : (tensor<1x4xi64>) -> tensor<1x4xi64>
  return %1, %2 : tensor<1x4xf64>, tensor<1x4xi64>
}

// -----

// What a loop over steps computes cannot be rounded behind it, and what it reads is extended in it.
// CHECK: func.func @main(%arg0: tensor<3x1x32xf32>
// CHECK: "ipu.vertex"{{.*}} -> tensor<3x1x32xf16>
// CHECK: "ipu.vertex"{{.*}}@lstm{{.*}} -> tensor<3x1x1x8xf32>
// CHECK: "ipu.vertex"{{.*}} -> tensor<3x1x1x8xf32>
func.func @main(%x: tensor<3x1x32xf32>, %r: tensor<1x1x8x32xf32>, %s: tensor<1x1x8xf32>) -> tensor<3x1x1x8xf32> {
  %0 = "ipu.softmax"(%x) {axis = 2 : i64} : (tensor<3x1x32xf32>) -> tensor<3x1x32xf32>
  %1 = "ipu.lstm"(%0, %r, %s, %s) {direction = "forward", cells = false} : (tensor<3x1x32xf32>, tensor<1x1x8x32xf32>, tensor<1x1x8xf32>, tensor<1x1x8xf32>) -> tensor<3x1x1x8xf32>
  %2 = "ipu.relu"(%1) : (tensor<3x1x1x8xf32>) -> tensor<3x1x1x8xf32>
  return %2 : tensor<3x1x1x8xf32>
}
