// RUN: pyipu-opt %s --split-input-file --verify-diagnostics

// A vector is no matrix.
func.func @main(%a: tensor<3xf32>, %b: tensor<3x4xf32>) {
  // expected-error@+1 {{needs matrices, got tensor<3xf32> and tensor<3x4xf32>}}
  %0 = "ipu.matmul"(%a, %b) : (tensor<3xf32>, tensor<3x4xf32>) -> tensor<4xf32>
  return
}

// -----

// Inner sizes differ.
func.func @main(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) {
  // expected-error@+1 {{cannot multiply tensor<2x3xf32> with tensor<2x3xf32>}}
  %0 = "ipu.matmul"(%a, %b) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

// Batches do not broadcast.
func.func @main(%a: tensor<2x3x4xf32>, %b: tensor<3x4x5xf32>) {
  // expected-error@+1 {{operands of shapes (2,), (3,) do not broadcast}}
  %0 = "ipu.matmul"(%a, %b) : (tensor<2x3x4xf32>, tensor<3x4x5xf32>) -> tensor<2x3x5xf32>
  return
}

// -----

// The equation has no arrow.
func.func @main(%a: tensor<2x3xf32>, %b: tensor<3x4xf32>) {
  // expected-error@+1 {{'ij,jk' is not of the form 'ab,bc->ac'}}
  %0 = "ipu.einsum"(%a, %b) {equation = "ij,jk"} : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

// A letter repeats within an operand.
func.func @main(%a: tensor<3x3xf32>, %b: tensor<3x4xf32>) {
  // expected-error@+1 {{'ii,ij->j' is not of the form 'ab,bc->ac'}}
  %0 = "ipu.einsum"(%a, %b) {equation = "ii,ij->j"} : (tensor<3x3xf32>, tensor<3x4xf32>) -> tensor<4xf32>
  return
}

// -----

// The equation does not fit the ranks.
func.func @main(%a: tensor<2x3xf32>, %b: tensor<3x4xf32>) {
  // expected-error@+1 {{'i,jk->ik' does not fit tensor<2x3xf32>, tensor<3x4xf32>}}
  %0 = "ipu.einsum"(%a, %b) {equation = "i,jk->ik"} : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

// A letter has two sizes.
func.func @main(%a: tensor<2x3xf32>, %b: tensor<4x5xf32>) {
  // expected-error@+1 {{'j' in 'ij,jk->ik' has two sizes}}
  %0 = "ipu.einsum"(%a, %b) {equation = "ij,jk->ik"} : (tensor<2x3xf32>, tensor<4x5xf32>) -> tensor<2x5xf32>
  return
}

// -----

// The result has a letter of its own.
func.func @main(%a: tensor<2x3xf32>, %b: tensor<3x4xf32>) {
  // expected-error@+1 {{the result of 'ij,jk->iz' has a letter that no operand has}}
  %0 = "ipu.einsum"(%a, %b) {equation = "ij,jk->iz"} : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
  return
}

// -----

// Two groups of three channels are not five.
func.func @main(%a: tensor<4x5xf32>, %b: tensor<2x1x3x8xf32>) {
  // expected-error@+1 {{cannot multiply tensor<4x5xf32> with tensor<2x1x3x8xf32>}}
  %0 = "ipu.packed_matmul"(%a, %b) : (tensor<4x5xf32>, tensor<2x1x3x8xf32>) -> tensor<4x16xf32>
  return
}

// -----

// Eight columns cannot hold three groups side by side.
func.func @main(%a: tensor<4x9xf32>, %b: tensor<2x3x8xf32>) {
  // expected-error@+1 {{cannot multiply tensor<4x9xf32> with tensor<2x3x8xf32>}}
  %0 = "ipu.shuffled_matmul"(%a, %b) : (tensor<4x9xf32>, tensor<2x3x8xf32>) -> tensor<4x16xf32>
  return
}
