// RUN: pyipu-opt %s | filecheck %s
// RUN: iree-opt --irdl-file=%irdl %s -o /dev/null

// A function of one operand keeps its type.
// CHECK: "ipu.exp"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @exp(%a: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "ipu.exp"(%a) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// Logarithm.
// CHECK: "ipu.log"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @log(%a: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "ipu.log"(%a) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// Square root.
// CHECK: "ipu.sqrt"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @sqrt(%a: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "ipu.sqrt"(%a) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// Hyperbolic tangent.
// CHECK: "ipu.tanh"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @tanh(%a: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "ipu.tanh"(%a) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// Rounding down.
// CHECK: "ipu.floor"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @floor(%a: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "ipu.floor"(%a) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// Rounding up.
// CHECK: "ipu.ceil"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @ceil(%a: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "ipu.ceil"(%a) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// Error function, of half precision.
// CHECK: "ipu.erf"(%arg0) : (tensor<4xf16>) -> tensor<4xf16>
func.func @erf(%a: tensor<4xf16>) -> tensor<4xf16> {
  %0 = "ipu.erf"(%a) : (tensor<4xf16>) -> tensor<4xf16>
  return %0 : tensor<4xf16>
}

// Logistic function.
// CHECK: "ipu.sigmoid"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @sigmoid(%a: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "ipu.sigmoid"(%a) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// Reciprocal of double precision.
// CHECK: "ipu.reciprocal"(%arg0) : (tensor<4xf64>) -> tensor<4xf64>
func.func @reciprocal(%a: tensor<4xf64>) -> tensor<4xf64> {
  %0 = "ipu.reciprocal"(%a) : (tensor<4xf64>) -> tensor<4xf64>
  return %0 : tensor<4xf64>
}

// Magnitude, of integers too.
// CHECK: "ipu.abs"(%arg0) : (tensor<4xi32>) -> tensor<4xi32>
func.func @abs(%a: tensor<4xi32>) -> tensor<4xi32> {
  %0 = "ipu.abs"(%a) : (tensor<4xi32>) -> tensor<4xi32>
  return %0 : tensor<4xi32>
}

// Negation, of a scalar.
// CHECK: "ipu.negate"(%arg0) : (tensor<f32>) -> tensor<f32>
func.func @negate(%a: tensor<f32>) -> tensor<f32> {
  %0 = "ipu.negate"(%a) : (tensor<f32>) -> tensor<f32>
  return %0 : tensor<f32>
}

// ReLU.
// CHECK: "ipu.relu"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @relu(%a: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "ipu.relu"(%a) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// Leaky ReLU has a slope.
// CHECK: "ipu.leaky_relu"(%arg0) {slope = 1.000000e-01 : f64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @leaky_relu(%a: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "ipu.leaky_relu"(%a) {slope = 1.000000e-01 : f64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// Hard sigmoid has a slope and an offset.
// CHECK: "ipu.hard_sigmoid"(%arg0) {offset = 5.000000e-01 : f64, slope = 2.000000e-01 : f64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @hard_sigmoid(%a: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "ipu.hard_sigmoid"(%a) {offset = 5.000000e-01 : f64, slope = 2.000000e-01 : f64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// Clip has two bounds; an open one is infinite.
// CHECK: "ipu.clip"(%arg0) {high = 0x7FF0000000000000 : f64, low = 0.000000e+00 : f64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @clip(%a: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "ipu.clip"(%a) {high = 0x7FF0000000000000 : f64, low = 0.000000e+00 : f64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// Logical negation.
// CHECK: "ipu.not"(%arg0) : (tensor<4xi1>) -> tensor<4xi1>
func.func @not(%a: tensor<4xi1>) -> tensor<4xi1> {
  %0 = "ipu.not"(%a) : (tensor<4xi1>) -> tensor<4xi1>
  return %0 : tensor<4xi1>
}

// Cast names its element type.
// CHECK: "ipu.cast"(%arg0) {dtype = "bf16"} : (tensor<4xui8>) -> tensor<4xbf16>
func.func @cast(%a: tensor<4xui8>) -> tensor<4xbf16> {
  %0 = "ipu.cast"(%a) {dtype = "bf16"} : (tensor<4xui8>) -> tensor<4xbf16>
  return %0 : tensor<4xbf16>
}

// Operands of one shape.
// CHECK: "ipu.add"(%arg0, %arg1) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @add(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "ipu.add"(%a, %b) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// The right operand broadcasts.
// CHECK: "ipu.subtract"(%arg0, %arg1) : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
func.func @subtract(%a: tensor<2x3xf32>, %b: tensor<3xf32>) -> tensor<2x3xf32> {
  %0 = "ipu.subtract"(%a, %b) : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// Both operands broadcast.
// CHECK: "ipu.multiply"(%arg0, %arg1) : (tensor<2x1xf32>, tensor<3xf32>) -> tensor<2x3xf32>
func.func @multiply(%a: tensor<2x1xf32>, %b: tensor<3xf32>) -> tensor<2x3xf32> {
  %0 = "ipu.multiply"(%a, %b) : (tensor<2x1xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// Integer division.
// CHECK: "ipu.divide"(%arg0, %arg1) : (tensor<4xi64>, tensor<4xi64>) -> tensor<4xi64>
func.func @divide(%a: tensor<4xi64>, %b: tensor<4xi64>) -> tensor<4xi64> {
  %0 = "ipu.divide"(%a, %b) : (tensor<4xi64>, tensor<4xi64>) -> tensor<4xi64>
  return %0 : tensor<4xi64>
}

// Larger of both, unsigned.
// CHECK: "ipu.maximum"(%arg0, %arg1) : (tensor<4xui8>, tensor<4xui8>) -> tensor<4xui8>
func.func @maximum(%a: tensor<4xui8>, %b: tensor<4xui8>) -> tensor<4xui8> {
  %0 = "ipu.maximum"(%a, %b) : (tensor<4xui8>, tensor<4xui8>) -> tensor<4xui8>
  return %0 : tensor<4xui8>
}

// Smaller of both.
// CHECK: "ipu.minimum"(%arg0, %arg1) : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
func.func @minimum(%a: tensor<2x3xf32>, %b: tensor<f32>) -> tensor<2x3xf32> {
  %0 = "ipu.minimum"(%a, %b) : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// Power of floating-point numbers.
// CHECK: "ipu.power"(%arg0, %arg1) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @power(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "ipu.power"(%a, %b) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// A comparison gives truth values.
// CHECK: "ipu.equal"(%arg0, %arg1) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xi1>
func.func @equal(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) -> tensor<2x3xi1> {
  %0 = "ipu.equal"(%a, %b) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xi1>
  return %0 : tensor<2x3xi1>
}

// Less.
// CHECK: "ipu.less"(%arg0, %arg1) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xi1>
func.func @less(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) -> tensor<2x3xi1> {
  %0 = "ipu.less"(%a, %b) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xi1>
  return %0 : tensor<2x3xi1>
}

// Less or equal.
// CHECK: "ipu.less_or_equal"(%arg0, %arg1) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xi1>
func.func @less_or_equal(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) -> tensor<2x3xi1> {
  %0 = "ipu.less_or_equal"(%a, %b) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xi1>
  return %0 : tensor<2x3xi1>
}

// Greater.
// CHECK: "ipu.greater"(%arg0, %arg1) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xi1>
func.func @greater(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) -> tensor<2x3xi1> {
  %0 = "ipu.greater"(%a, %b) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xi1>
  return %0 : tensor<2x3xi1>
}

// Greater or equal.
// CHECK: "ipu.greater_or_equal"(%arg0, %arg1) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xi1>
func.func @greater_or_equal(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) -> tensor<2x3xi1> {
  %0 = "ipu.greater_or_equal"(%a, %b) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xi1>
  return %0 : tensor<2x3xi1>
}

// Logical and.
// CHECK: "ipu.and"(%arg0, %arg1) : (tensor<4xi1>, tensor<4xi1>) -> tensor<4xi1>
func.func @and(%a: tensor<4xi1>, %b: tensor<4xi1>) -> tensor<4xi1> {
  %0 = "ipu.and"(%a, %b) : (tensor<4xi1>, tensor<4xi1>) -> tensor<4xi1>
  return %0 : tensor<4xi1>
}

// Logical or.
// CHECK: "ipu.or"(%arg0, %arg1) : (tensor<4xi1>, tensor<4xi1>) -> tensor<4xi1>
func.func @or(%a: tensor<4xi1>, %b: tensor<4xi1>) -> tensor<4xi1> {
  %0 = "ipu.or"(%a, %b) : (tensor<4xi1>, tensor<4xi1>) -> tensor<4xi1>
  return %0 : tensor<4xi1>
}

// Logical xor.
// CHECK: "ipu.xor"(%arg0, %arg1) : (tensor<4xi1>, tensor<4xi1>) -> tensor<4xi1>
func.func @xor(%a: tensor<4xi1>, %b: tensor<4xi1>) -> tensor<4xi1> {
  %0 = "ipu.xor"(%a, %b) : (tensor<4xi1>, tensor<4xi1>) -> tensor<4xi1>
  return %0 : tensor<4xi1>
}

// All three operands broadcast.
// CHECK: "ipu.where"(%arg0, %arg1, %arg2) : (tensor<2x1xi1>, tensor<3xf32>, tensor<f32>) -> tensor<2x3xf32>
func.func @where(%a: tensor<2x1xi1>, %b: tensor<3xf32>, %c: tensor<f32>) -> tensor<2x3xf32> {
  %0 = "ipu.where"(%a, %b, %c) : (tensor<2x1xi1>, tensor<3xf32>, tensor<f32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// Integers of 8 bits and the numbers they stand for, with a scale for each channel.
// CHECK: "ipu.quantize"(%arg0, %arg1, %arg2) : (tensor<2x3xf32>, tensor<3xf32>, tensor<ui8>) -> tensor<2x3xui8>
// CHECK: "ipu.dequantize"
func.func @integers(%x: tensor<2x3xf32>, %s: tensor<3xf32>, %z: tensor<ui8>) -> tensor<2x3xf32> {
  %0 = "ipu.quantize"(%x, %s, %z) : (tensor<2x3xf32>, tensor<3xf32>, tensor<ui8>) -> tensor<2x3xui8>
  %1 = "ipu.dequantize"(%0, %s, %z) : (tensor<2x3xui8>, tensor<3xf32>, tensor<ui8>) -> tensor<2x3xf32>
  return %1 : tensor<2x3xf32>
}
