// RUN: pyipu-opt %s | filecheck %s
// RUN: pyipu-opt %s | iree-opt --irdl-file=%irdl - -o /dev/null

// Each operand is a segment of its own, so that each may have a type of its own; pyipu-opt writes the sizes.

// Operands differ in the size of the axis.
// CHECK: "ipu.concat"(%arg0, %arg1) {axis = 1 : i64, {{.*}}} : (tensor<2x3xf32>, tensor<2x1xf32>) -> tensor<2x4xf32>
func.func @concat(%a: tensor<2x3xf32>, %b: tensor<2x1xf32>) -> tensor<2x4xf32> {
  %0 = "ipu.concat"(%a, %b) {axis = 1 : i64} : (tensor<2x3xf32>, tensor<2x1xf32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

// A vertex has operands and results as its codelet has.
// CHECK: "ipu.vertex"(%arg0, %arg1) {codelet = @codelet, {{.*}}} : (tensor<2xi1>, tensor<2xf32>) -> tensor<2xf32>
func.func @vertex(%a: tensor<2xi1>, %b: tensor<2xf32>) -> tensor<2xf32> {
  %0 = "ipu.vertex"(%a, %b) {codelet = @codelet} : (tensor<2xi1>, tensor<2xf32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

func.func private @codelet(%a: tensor<2xi1>, %b: tensor<2xf32>) -> tensor<2xf32> {
  %0 = "ipu.where"(%a, %b, %b) : (tensor<2xi1>, tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}
