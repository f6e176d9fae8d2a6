// RUN: not pyipu-opt %s --pass-pipeline=ipu-storage{type=f8} 2>&1 | filecheck %s

// There are two types of 16 bits.
// CHECK: option 'type' of pass ipu-storage takes f16 or bf16, not 'f8'
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
