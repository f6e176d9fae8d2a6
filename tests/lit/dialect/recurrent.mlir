// RUN: pyipu-opt %s | filecheck %s
// RUN: iree-opt --irdl-file=%irdl %s -o /dev/null

// Both directions of a layer, whose recurrence is one block of columns; the last row has the cells.
// CHECK: "ipu.lstm"(%arg0, %arg1, %arg2, %arg2) {cells = true, direction = "bidirectional"} {{.*}} -> tensor<6x2x1x8xf32>
func.func @lstm(%x: tensor<5x1x64xf32>, %r: tensor<2x1x8x32xf32>, %zero: tensor<2x1x8xf32>) -> tensor<6x2x1x8xf32> {
  %0 = "ipu.lstm"(%x, %r, %zero, %zero) {direction = "bidirectional", cells = true} : (tensor<5x1x64xf32>, tensor<2x1x8x32xf32>, tensor<2x1x8xf32>, tensor<2x1x8xf32>) -> tensor<6x2x1x8xf32>
  return %0 : tensor<6x2x1x8xf32>
}
