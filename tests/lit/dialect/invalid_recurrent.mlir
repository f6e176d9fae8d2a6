// RUN: pyipu-opt %s --split-input-file --verify-diagnostics

// No such direction.
func.func @main(%x: tensor<5x1x32xf32>, %r: tensor<1x1x8x32xf32>, %s: tensor<1x1x8xf32>) {
  // expected-error@+1 {{knows the directions forward, reverse, bidirectional, not 'up'}}
  %0 = "ipu.lstm"(%x, %r, %s, %s) {direction = "up", cells = false} : (tensor<5x1x32xf32>, tensor<1x1x8x32xf32>, tensor<1x1x8xf32>, tensor<1x1x8xf32>) -> tensor<5x1x1x8xf32>
  return
}

// -----

// One direction's recurrence for two directions.
func.func @main(%x: tensor<5x1x64xf32>, %r: tensor<1x1x8x32xf32>, %s: tensor<2x1x8xf32>) {
  // expected-error@+1 {{cannot run tensor<5x1x64xf32> through tensor<1x1x8x32xf32>}}
  %0 = "ipu.lstm"(%x, %r, %s, %s) {direction = "bidirectional", cells = false} : (tensor<5x1x64xf32>, tensor<1x1x8x32xf32>, tensor<2x1x8xf32>, tensor<2x1x8xf32>) -> tensor<5x2x1x8xf32>
  return
}

// -----

// A state of another batch.
func.func @main(%x: tensor<5x2x32xf32>, %r: tensor<1x1x8x32xf32>, %s: tensor<1x1x8xf32>) {
  // expected-error@+1 {{needs a state of type tensor<1x2x8xf32>, got tensor<1x1x8xf32>}}
  %0 = "ipu.lstm"(%x, %r, %s, %s) {direction = "forward", cells = false} : (tensor<5x2x32xf32>, tensor<1x1x8x32xf32>, tensor<1x1x8xf32>, tensor<1x1x8xf32>) -> tensor<5x1x2x8xf32>
  return
}

// -----

// A cell of another batch than the state's.
func.func @main(%x: tensor<5x2x32xf32>, %r: tensor<1x1x8x32xf32>, %s: tensor<1x2x8xf32>, %c: tensor<1x1x8xf32>) {
  // expected-error@+1 {{needs a cell of type tensor<1x2x8xf32>, got tensor<1x1x8xf32>}}
  %0 = "ipu.lstm"(%x, %r, %s, %c) {direction = "forward", cells = false} : (tensor<5x2x32xf32>, tensor<1x1x8x32xf32>, tensor<1x2x8xf32>, tensor<1x1x8xf32>) -> tensor<5x1x2x8xf32>
  return
}

// -----

// The recurrence of four gates for a layer of three.
func.func @main(%x: tensor<5x1x24xf32>, %r: tensor<1x1x8x32xf32>, %b: tensor<1x8xf32>, %s: tensor<1x1x8xf32>) {
  // expected-error@+1 {{cannot run tensor<5x1x24xf32> through tensor<1x1x8x32xf32>}}
  %0 = "ipu.gru"(%x, %r, %b, %s) {direction = "forward", linear_before_reset = true} : (tensor<5x1x24xf32>, tensor<1x1x8x32xf32>, tensor<1x8xf32>, tensor<1x1x8xf32>) -> tensor<5x1x1x8xf32>
  return
}

// -----

// A bias for one direction of two.
func.func @main(%x: tensor<5x1x48xf32>, %r: tensor<2x1x8x24xf32>, %b: tensor<1x8xf32>, %s: tensor<2x1x8xf32>) {
  // expected-error@+1 {{needs a bias of type tensor<2x8xf32>, got tensor<1x8xf32>}}
  %0 = "ipu.gru"(%x, %r, %b, %s) {direction = "bidirectional", linear_before_reset = true} : (tensor<5x1x48xf32>, tensor<2x1x8x24xf32>, tensor<1x8xf32>, tensor<2x1x8xf32>) -> tensor<5x2x1x8xf32>
  return
}
