// RUN: pyipu-opt %s | filecheck %s
// RUN: iree-opt --irdl-file=%irdl %s -o /dev/null

// Values may be wider than keys, and there may be more keys than queries.
// CHECK: "ipu.attention"(%arg0, %arg1, %arg2) {{.*}}scale = 2.500000e-01 : f64} {{.*}} -> tensor<2x3x4x16xf32>
func.func @plain(%q: tensor<2x3x4x8xf32>, %k: tensor<2x5x4x8xf32>, %v: tensor<2x5x4x16xf32>) -> tensor<2x3x4x16xf32> {
  %0 = "ipu.attention"(%q, %k, %v) {scale = 0.25 : f64, operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<2x3x4x8xf32>, tensor<2x5x4x8xf32>, tensor<2x5x4x16xf32>) -> tensor<2x3x4x16xf32>
  return %0 : tensor<2x3x4x16xf32>
}

// A mask is repeated for heads and queries.
// CHECK: "ipu.attention"(%arg0, %arg1, %arg1, %arg2){{.*}} -> tensor<2x3x4x8xf32>
func.func @masked(%q: tensor<2x3x4x8xf32>, %k: tensor<2x5x4x8xf32>, %m: tensor<2x1x1x5xf32>) -> tensor<2x3x4x8xf32> {
  %0 = "ipu.attention"(%q, %k, %k, %m) {scale = 1.0 : f64, operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<2x3x4x8xf32>, tensor<2x5x4x8xf32>, tensor<2x5x4x8xf32>, tensor<2x1x1x5xf32>) -> tensor<2x3x4x8xf32>
  return %0 : tensor<2x3x4x8xf32>
}
