// RUN: pyipu-opt %s | filecheck %s
// RUN: pyipu-opt %s | iree-opt --irdl-file=%irdl - -o /dev/null

// Constants of several element types; text and hexadecimal forms are equal.
// CHECK-LABEL: @constants
// CHECK-NEXT: "ipu.constant"() {value = dense<[1, -2]> : tensor<2xi64>} : () -> tensor<2xi64>
// CHECK-NEXT: "ipu.constant"() {value = dense<[true, false]> : tensor<2xi1>} : () -> tensor<2xi1>
// CHECK-NEXT: "ipu.constant"() {value = dense<1.000000e+00> : tensor<f32>} : () -> tensor<f32>
func.func @constants() {
  %0 = "ipu.constant"() {value = dense<[1, -2]> : tensor<2xi64>} : () -> tensor<2xi64>
  %1 = "ipu.constant"() {value = dense<[true, false]> : tensor<2xi1>} : () -> tensor<2xi1>
  %2 = "ipu.constant"() {value = dense<"0x0000803F"> : tensor<f32>} : () -> tensor<f32>
  return
}

// A parameter is known by its key, as a tensor in a graph and as a reference in a placed program.
// CHECK-LABEL: @parameters
// CHECK-NEXT: "ipu.parameter"() {key = "layer1.weight"} : () -> tensor<64x3xf32>
// CHECK-NEXT: "ipu.parameter"() {key = "layer1.weight"} : () -> !ipu.ref<tensor<64x3xf32>>
func.func @parameters() {
  %0 = "ipu.parameter"() {key = "layer1.weight"} : () -> tensor<64x3xf32>
  %1 = "ipu.parameter"() {key = "layer1.weight"} : () -> !ipu.ref<tensor<64x3xf32>>
  return
}

// A vertex names its codelet.
// CHECK-LABEL: @vertex
// CHECK-NEXT: "ipu.vertex"(%arg0, %arg0) {codelet = @codelet, {{.*}}} : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
func.func @vertex(%a: tensor<2xf32>) -> tensor<2xf32> {
  %0 = "ipu.vertex"(%a, %a) {codelet = @codelet} : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

func.func private @codelet(%a: tensor<2xf32>, %b: tensor<2xf32>) -> tensor<2xf32> {
  %0 = "ipu.add"(%a, %b) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// A placed program: an allocation without and with its offset, a view of a row, and an execution.
// CHECK-LABEL: @placed
// CHECK-NEXT: "ipu.allocate"() {size = 64 : i64, space = "result"} : () -> !ipu.buffer
// CHECK-NEXT: "ipu.allocate"() {offset = 128 : i64, size = 64 : i64, space = "arena"} : () -> !ipu.buffer
// CHECK-NEXT: "ipu.view"(%1) {offsets = array<i64: 1, 0>, start = 0 : i64, strides = array<i64: 1, 1>, tensor = tensor<2x2xf32>, whole = array<i64: 4, 2>} : (!ipu.buffer) -> !ipu.ref<tensor<2x2xf32>>
// CHECK-NEXT: "ipu.view"(%1) {{.*}} -> !ipu.ref<tensor<4x2xf32>>
// CHECK-NEXT: "ipu.border"(%3, %2) {value = 0.000000e+00 : f64} : (!ipu.ref<tensor<4x2xf32>>, !ipu.ref<tensor<2x2xf32>>) -> ()
// CHECK-NEXT: "ipu.execute"(%arg0, %2) {codelet = @rectify, executable = "rectify_0", {{.*}}writes = 1 : i64} : (!ipu.ref<tensor<2x2xf32>>, !ipu.ref<tensor<2x2xf32>>) -> ()
func.func @placed(%a: !ipu.ref<tensor<2x2xf32>>) {
  %0 = "ipu.allocate"() {space = "result", size = 64 : i64} : () -> !ipu.buffer
  %1 = "ipu.allocate"() {space = "arena", size = 64 : i64, offset = 128 : i64} : () -> !ipu.buffer
  %2 = "ipu.view"(%1) {start = 0 : i64, whole = array<i64: 4, 2>, offsets = array<i64: 1, 0>, strides = array<i64: 1, 1>, tensor = tensor<2x2xf32>} : (!ipu.buffer) -> !ipu.ref<tensor<2x2xf32>>
  %3 = "ipu.view"(%1) {start = 0 : i64, whole = array<i64: 4, 2>, offsets = array<i64: 0, 0>, strides = array<i64: 1, 1>, tensor = tensor<4x2xf32>} : (!ipu.buffer) -> !ipu.ref<tensor<4x2xf32>>
  "ipu.border"(%3, %2) {value = 0.0 : f64} : (!ipu.ref<tensor<4x2xf32>>, !ipu.ref<tensor<2x2xf32>>) -> ()
  "ipu.execute"(%a, %2) {codelet = @rectify, executable = "rectify_0", writes = 1 : i64} : (!ipu.ref<tensor<2x2xf32>>, !ipu.ref<tensor<2x2xf32>>) -> ()
  return
}

func.func private @rectify(%a: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %0 = "ipu.relu"(%a) : (tensor<2x2xf32>) -> tensor<2x2xf32>
  return %0 : tensor<2x2xf32>
}
