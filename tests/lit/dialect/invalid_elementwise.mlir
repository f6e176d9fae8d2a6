// RUN: pyipu-opt %s --split-input-file --verify-diagnostics

// The result keeps the type.
func.func @main(%a: tensor<2x3xf32>) {
  // expected-error@+1 {{should have the result type tensor<2x3xf32>}}
  %0 = "ipu.relu"(%a) : (tensor<2x3xf32>) -> tensor<3x2xf32>
  return
}

// -----

// Integers have no logarithm.
func.func @main(%a: tensor<4xi32>) {
  // expected-error@+1 {{needs a floating-point operand, got tensor<4xi32>}}
  %0 = "ipu.log"(%a) : (tensor<4xi32>) -> tensor<4xi32>
  return
}

// -----

// An attribute is missing.
func.func @main(%a: tensor<2x3xf32>) {
  // expected-error@+1 {{'ipu.leaky_relu' op lacks the attribute 'slope'}}
  %0 = "ipu.leaky_relu"(%a) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

// Too many operands.
func.func @main(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) {
  // expected-error@+1 {{expects 1 operands (input), got 2}}
  %0 = "ipu.exp"(%a, %b) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

// Shapes do not broadcast.
func.func @main(%a: tensor<2x3xf32>, %b: tensor<2xf32>) {
  // expected-error@+1 {{operands of shapes (2, 3), (2,) do not broadcast}}
  %0 = "ipu.add"(%a, %b) : (tensor<2x3xf32>, tensor<2xf32>) -> tensor<2x3xf32>
  return
}

// -----

// Element types differ.
func.func @main(%a: tensor<4xi32>, %b: tensor<4xi64>) {
  // expected-error@+1 {{needs operands of one element type, got tensor<4xi32> and tensor<4xi64>}}
  %0 = "ipu.multiply"(%a, %b) : (tensor<4xi32>, tensor<4xi64>) -> tensor<4xi64>
  return
}

// -----

// A comparison gives truth values.
func.func @main(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) {
  // expected-error@+1 {{should have the result type tensor<2x3xi1>}}
  %0 = "ipu.less"(%a, %b) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

// Logical operations take truth values.
func.func @main(%a: tensor<4xi8>, %b: tensor<4xi8>) {
  // expected-error@+1 {{needs truth values, got tensor<4xi8>}}
  %0 = "ipu.and"(%a, %b) : (tensor<4xi8>, tensor<4xi8>) -> tensor<4xi8>
  return
}

// -----

// A power has floating-point operands.
func.func @main(%a: tensor<4xi64>, %b: tensor<4xi64>) {
  // expected-error@+1 {{needs floating-point operands, got tensor<4xi64>}}
  %0 = "ipu.power"(%a, %b) : (tensor<4xi64>, tensor<4xi64>) -> tensor<4xi64>
  return
}

// -----

// The condition is a truth value.
func.func @main(%a: tensor<4xf32>, %b: tensor<4xf32>, %c: tensor<4xf32>) {
  // expected-error@+1 {{needs truth values as its condition, got tensor<4xf32>}}
  %0 = "ipu.where"(%a, %b, %c) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

// The result has no such element type.
func.func @main(%a: tensor<2x3xf32>) {
  // expected-error@+1 {{tensor<2x3xi5> is not a tensor type of static shape and known element type}}
  %0 = "ipu.cast"(%a) {dtype = "i5"} : (tensor<2x3xf32>) -> tensor<2x3xi5>
  return
}

// -----

// There is no such element type to cast to.
func.func @main(%a: tensor<2x3xf32>) {
  // expected-error@+1 {{does not know the element type complex}}
  %0 = "ipu.cast"(%a) {dtype = "complex"} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

// Shapes are static.
func.func @main(%a: tensor<?xf32>) {
  // expected-error@+1 {{tensor<?xf32> is not a tensor type of static shape and known element type}}
  %0 = "ipu.relu"(%a) : (tensor<?xf32>) -> tensor<?xf32>
  return
}

// -----

// A graph op takes tensors.
func.func @main(%a: !ipu.buffer) {
  // expected-error@+1 {{'ipu.relu' op takes operands of type tensor, got !ipu.buffer}}
  %0 = "ipu.relu"(%a) : (!ipu.buffer) -> !ipu.buffer
  return
}

// -----

// No such operation.
func.func @main(%a: tensor<2x3xf32>) {
  // expected-error@+1 {{'ipu.gelu' is no operation of the ipu dialect}}
  %0 = "ipu.gelu"(%a) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

// Numbers are quantized to integers of 8 or 16 bits.
func.func @main(%x: tensor<4xf32>, %s: tensor<f32>, %z: tensor<i32>) {
  // expected-error@+1 {{cannot quantize tensor<4xf32> in steps of tensor<f32> around tensor<i32>}}
  %0 = "ipu.quantize"(%x, %s, %z) : (tensor<4xf32>, tensor<f32>, tensor<i32>) -> tensor<4xi32>
  return
}

// -----

// The zero point is an integer of the same type.
func.func @main(%x: tensor<4xui8>, %s: tensor<f32>, %z: tensor<i8>) {
  // expected-error@+1 {{cannot dequantize tensor<4xui8> in steps of tensor<f32> around tensor<i8>}}
  %0 = "ipu.dequantize"(%x, %s, %z) : (tensor<4xui8>, tensor<f32>, tensor<i8>) -> tensor<4xf32>
  return
}
