// RUN: pyipu-opt %s --split-input-file --verify-diagnostics

// The type is that of the elements.
func.func @main() {
  // expected-error@+1 {{should have the result type tensor<2xi64>}}
  %0 = "ipu.constant"() {value = dense<[1, 2]> : tensor<2xi64>} : () -> tensor<2xf32>
  return
}

// -----

// A parameter needs a key.
func.func @main() {
  // expected-error@+1 {{'ipu.parameter' op needs a key}}
  %0 = "ipu.parameter"() {key = ""} : () -> tensor<2xf32>
  return
}

// -----

// There is no such codelet.
func.func @main(%a: tensor<2xf32>) {
  // expected-error@+1 {{names the codelet @codelet, which is not in the module}}
  %0 = "ipu.vertex"(%a) {codelet = @codelet} : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

// The vertex has another result than its codelet.
func.func private @codelet(%a: tensor<2xf32>) -> tensor<2xf32> {
  return %a : tensor<2xf32>
}
func.func @main(%a: tensor<2xf32>) {
  // expected-error@+1 {{does not fit its codelet @codelet: (tensor<2xf32>) -> tensor<2xf32>}}
  %0 = "ipu.vertex"(%a) {codelet = @codelet} : (tensor<2xf32>) -> tensor<1xf32>
  return
}

// -----

// A vertex runs on tensors.
func.func private @codelet(%a: tensor<2xf32>)
func.func @main(%a: !ipu.ref<tensor<2xf32>>) {
  // expected-error@+1 {{'ipu.vertex' op takes operands of type tensor, got !ipu.ref<tensor<2xf32>>}}
  "ipu.vertex"(%a) {codelet = @codelet} : (!ipu.ref<tensor<2xf32>>) -> ()
  return
}

// -----

// There is no such memory space.
func.func @main() {
  // expected-error@+1 {{knows the spaces arena, result, not 'stack'}}
  %0 = "ipu.allocate"() {space = "stack", size = 64 : i64} : () -> !ipu.buffer
  return
}

// -----

// Offsets are not negative.
func.func @main() {
  // expected-error@+1 {{needs a size and an offset that are not negative}}
  %0 = "ipu.allocate"() {space = "arena", size = 64 : i64, offset = -64 : i64} : () -> !ipu.buffer
  return
}

// -----

// A view is of memory, not of a tensor.
func.func @main(%a: tensor<2xf32>) {
  // expected-error@+1 {{'ipu.view' op takes operands of type buffer or ref, got tensor<2xf32>}}
  %0 = "ipu.view"(%a) {start = 0 : i64, whole = array<i64: 2>, offsets = array<i64: 0>, strides = array<i64: 1>, tensor = tensor<2xf32>} : (tensor<2xf32>) -> !ipu.ref<tensor<2xf32>>
  return
}

// -----

// The view leaves the whole tensor.
func.func @main(%a: !ipu.buffer) {
  // expected-error@+1 {{leaves the whole tensor of shape [4, 2]}}
  %0 = "ipu.view"(%a) {start = 0 : i64, whole = array<i64: 4, 2>, offsets = array<i64: 3, 0>, strides = array<i64: 1, 1>, tensor = tensor<2x2xf32>} : (!ipu.buffer) -> !ipu.ref<tensor<2x2xf32>>
  return
}

// -----

// The view has another rank than the whole tensor.
func.func @main(%a: !ipu.buffer) {
  // expected-error@+1 {{needs one whole size, offset and stride for each dimension of tensor<2xf32>}}
  %0 = "ipu.view"(%a) {start = 0 : i64, whole = array<i64: 4, 2>, offsets = array<i64: 0, 0>, strides = array<i64: 1, 1>, tensor = tensor<2xf32>} : (!ipu.buffer) -> !ipu.ref<tensor<2xf32>>
  return
}

// -----

// A border lies around what fits into it.
func.func @main(%a: !ipu.ref<tensor<4xf32>>, %b: !ipu.ref<tensor<6xf32>>) {
  // expected-error@+1 {{cannot have tensor<6xf32> inside of tensor<4xf32>}}
  "ipu.border"(%a, %b) {value = 0.0 : f64} : (!ipu.ref<tensor<4xf32>>, !ipu.ref<tensor<6xf32>>) -> ()
  return
}

// -----

// Something must be written.
func.func private @codelet()
func.func @main(%a: !ipu.ref<tensor<2xf32>>) {
  // expected-error@+1 {{cannot write 0 of 1 references}}
  "ipu.execute"(%a) {codelet = @codelet, writes = 0 : i64} : (!ipu.ref<tensor<2xf32>>) -> ()
  return
}

// -----

// Not more is written than there is.
func.func private @codelet()
func.func @main(%a: !ipu.ref<tensor<2xf32>>) {
  // expected-error@+1 {{cannot write 2 of 1 references}}
  "ipu.execute"(%a) {codelet = @codelet, writes = 2 : i64} : (!ipu.ref<tensor<2xf32>>) -> ()
  return
}

// -----

// A placed vertex runs on references.
func.func private @codelet(%a: tensor<2xf32>)
func.func @main(%a: tensor<2xf32>) {
  // expected-error@+1 {{'ipu.execute' op takes operands of type ref, got tensor<2xf32>}}
  "ipu.execute"(%a) {codelet = @codelet, writes = 1 : i64} : (tensor<2xf32>) -> ()
  return
}
