// RUN: pyipu-opt %s | filecheck %s
// RUN: iree-opt --irdl-file=%irdl %s -o /dev/null

// Both directions of a layer, whose recurrence is one block of columns; the last row has the cells.
// CHECK: "ipu.lstm"(%arg0, %arg1, %arg2, %arg2) {cells = true, direction = "bidirectional"} {{.*}} -> tensor<6x2x1x8xf32>
func.func @lstm(%x: tensor<5x1x64xf32>, %r: tensor<2x1x8x32xf32>, %zero: tensor<2x1x8xf32>) -> tensor<6x2x1x8xf32> {
  %0 = "ipu.lstm"(%x, %r, %zero, %zero) {direction = "bidirectional", cells = true} : (tensor<5x1x64xf32>, tensor<2x1x8x32xf32>, tensor<2x1x8xf32>, tensor<2x1x8xf32>) -> tensor<6x2x1x8xf32>
  return %0 : tensor<6x2x1x8xf32>
}

// The reset gate behind the product, in two blocks of columns.
// CHECK: "ipu.gru"(%arg0, %arg1, %arg2, %arg3) {direction = "reverse", linear_before_reset = true} {{.*}} -> tensor<5x1x1x8xf32>
func.func @gru(%x: tensor<5x1x24xf32>, %r: tensor<1x2x8x12xf32>, %b: tensor<1x8xf32>, %s: tensor<1x1x8xf32>) -> tensor<5x1x1x8xf32> {
  %0 = "ipu.gru"(%x, %r, %b, %s) {direction = "reverse", linear_before_reset = true} : (tensor<5x1x24xf32>, tensor<1x2x8x12xf32>, tensor<1x8xf32>, tensor<1x1x8xf32>) -> tensor<5x1x1x8xf32>
  return %0 : tensor<5x1x1x8xf32>
}

// One gate.
// CHECK: "ipu.rnn"(%arg0, %arg1, %arg2) {direction = "forward"} {{.*}} -> tensor<5x1x1x8xf32>
func.func @rnn(%x: tensor<5x1x8xf32>, %r: tensor<1x1x8x8xf32>, %s: tensor<1x1x8xf32>) -> tensor<5x1x1x8xf32> {
  %0 = "ipu.rnn"(%x, %r, %s) {direction = "forward"} : (tensor<5x1x8xf32>, tensor<1x1x8x8xf32>, tensor<1x1x8xf32>) -> tensor<5x1x1x8xf32>
  return %0 : tensor<5x1x1x8xf32>
}
