// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-standardize | filecheck %s
// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-standardize --remarks 2>&1 | filecheck %s --check-prefix=REMARK
// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-standardize{lanes=0} | filecheck %s --check-prefix=NONE
// NONE-NOT: ipu.standardize

// What is divided by its deviation is one op.
// CHECK-LABEL: @divided
// CHECK-NEXT: %[[R:.*]] = "ipu.standardize"(%arg0) {axes = array<i64: 1>, epsilon = 9.99{{.*}} : f64}
// CHECK-NEXT: return %[[R]]
// REMARK: remark: ipu-standardize: is one vertex with its mean and its variance
func.func @divided(%x: tensor<4x16xf32>) -> tensor<4x16xf32> {
  %n = "ipu.constant"() {value = dense<0.0625> : tensor<f32>} : () -> tensor<f32>
  %eps = "ipu.constant"() {value = dense<1.0e-05> : tensor<f32>} : () -> tensor<f32>
  %sum = "ipu.reduce_sum"(%x) {axes = array<i64: 1>, keep = true} : (tensor<4x16xf32>) -> tensor<4x1xf32>
  %mean = "ipu.multiply"(%sum, %n) : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
  %c = "ipu.subtract"(%x, %mean) : (tensor<4x16xf32>, tensor<4x1xf32>) -> tensor<4x16xf32>
  %square = "ipu.multiply"(%c, %c) : (tensor<4x16xf32>, tensor<4x16xf32>) -> tensor<4x16xf32>
  %spread = "ipu.reduce_sum"(%square) {axes = array<i64: 1>, keep = true} : (tensor<4x16xf32>) -> tensor<4x1xf32>
  %variance = "ipu.multiply"(%spread, %n) : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
  %shifted = "ipu.add"(%variance, %eps) : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
  %deviation = "ipu.sqrt"(%shifted) : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %r = "ipu.divide"(%c, %deviation) : (tensor<4x16xf32>, tensor<4x1xf32>) -> tensor<4x16xf32>
  return %r : tensor<4x16xf32>
}

// -----

// Or multiplied with the reciprocal of that.
// CHECK-LABEL: @multiplied
// CHECK-NEXT: %[[R:.*]] = "ipu.standardize"(%arg0) {axes = array<i64: 1>, epsilon = 9.99{{.*}} : f64}
// CHECK-NEXT: return %[[R]]
func.func @multiplied(%x: tensor<4x16xf32>) -> tensor<4x16xf32> {
  %n = "ipu.constant"() {value = dense<0.0625> : tensor<f32>} : () -> tensor<f32>
  %eps = "ipu.constant"() {value = dense<1.0e-05> : tensor<f32>} : () -> tensor<f32>
  %sum = "ipu.reduce_sum"(%x) {axes = array<i64: 1>, keep = true} : (tensor<4x16xf32>) -> tensor<4x1xf32>
  %mean = "ipu.multiply"(%sum, %n) : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
  %c = "ipu.subtract"(%x, %mean) : (tensor<4x16xf32>, tensor<4x1xf32>) -> tensor<4x16xf32>
  %square = "ipu.multiply"(%c, %c) : (tensor<4x16xf32>, tensor<4x16xf32>) -> tensor<4x16xf32>
  %spread = "ipu.reduce_sum"(%square) {axes = array<i64: 1>, keep = true} : (tensor<4x16xf32>) -> tensor<4x1xf32>
  %variance = "ipu.multiply"(%spread, %n) : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
  %shifted = "ipu.add"(%variance, %eps) : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
  %deviation = "ipu.sqrt"(%shifted) : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %inverse = "ipu.reciprocal"(%deviation) : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %r = "ipu.multiply"(%c, %inverse) : (tensor<4x16xf32>, tensor<4x1xf32>) -> tensor<4x16xf32>
  return %r : tensor<4x16xf32>
}

// -----

// From either side.
// CHECK-LABEL: @from_the_left
// CHECK-NEXT: %[[R:.*]] = "ipu.standardize"(%arg0) {axes = array<i64: 1>, epsilon = 9.99{{.*}} : f64}
// CHECK-NEXT: return %[[R]]
func.func @from_the_left(%x: tensor<4x16xf32>) -> tensor<4x16xf32> {
  %n = "ipu.constant"() {value = dense<0.0625> : tensor<f32>} : () -> tensor<f32>
  %eps = "ipu.constant"() {value = dense<1.0e-05> : tensor<f32>} : () -> tensor<f32>
  %sum = "ipu.reduce_sum"(%x) {axes = array<i64: 1>, keep = true} : (tensor<4x16xf32>) -> tensor<4x1xf32>
  %mean = "ipu.multiply"(%sum, %n) : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
  %c = "ipu.subtract"(%x, %mean) : (tensor<4x16xf32>, tensor<4x1xf32>) -> tensor<4x16xf32>
  %square = "ipu.multiply"(%c, %c) : (tensor<4x16xf32>, tensor<4x16xf32>) -> tensor<4x16xf32>
  %spread = "ipu.reduce_sum"(%square) {axes = array<i64: 1>, keep = true} : (tensor<4x16xf32>) -> tensor<4x1xf32>
  %variance = "ipu.multiply"(%spread, %n) : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
  %shifted = "ipu.add"(%variance, %eps) : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
  %deviation = "ipu.sqrt"(%shifted) : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %inverse = "ipu.reciprocal"(%deviation) : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %r = "ipu.multiply"(%inverse, %c) : (tensor<4x1xf32>, tensor<4x16xf32>) -> tensor<4x16xf32>
  return %r : tensor<4x16xf32>
}

// -----

// A sum that is divided by another number is no mean.
// CHECK-LABEL: @no_mean
// CHECK-NOT: ipu.standardize
// CHECK: return
func.func @no_mean(%x: tensor<4x16xf32>) -> tensor<4x16xf32> {
  %n = "ipu.constant"() {value = dense<0.1> : tensor<f32>} : () -> tensor<f32>
  %eps = "ipu.constant"() {value = dense<1.0e-05> : tensor<f32>} : () -> tensor<f32>
  %sum = "ipu.reduce_sum"(%x) {axes = array<i64: 1>, keep = true} : (tensor<4x16xf32>) -> tensor<4x1xf32>
  %mean = "ipu.multiply"(%sum, %n) : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
  %c = "ipu.subtract"(%x, %mean) : (tensor<4x16xf32>, tensor<4x1xf32>) -> tensor<4x16xf32>
  %square = "ipu.multiply"(%c, %c) : (tensor<4x16xf32>, tensor<4x16xf32>) -> tensor<4x16xf32>
  %spread = "ipu.reduce_sum"(%square) {axes = array<i64: 1>, keep = true} : (tensor<4x16xf32>) -> tensor<4x1xf32>
  %variance = "ipu.multiply"(%spread, %n) : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
  %shifted = "ipu.add"(%variance, %eps) : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
  %deviation = "ipu.sqrt"(%shifted) : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %inverse = "ipu.reciprocal"(%deviation) : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %r = "ipu.multiply"(%c, %inverse) : (tensor<4x16xf32>, tensor<4x1xf32>) -> tensor<4x16xf32>
  return %r : tensor<4x16xf32>
}

// -----

// The product of two tensors is no square.
// CHECK-LABEL: @no_square
// CHECK-NOT: ipu.standardize
// CHECK: return
func.func @no_square(%x: tensor<4x16xf32>) -> tensor<4x16xf32> {
  %n = "ipu.constant"() {value = dense<0.0625> : tensor<f32>} : () -> tensor<f32>
  %eps = "ipu.constant"() {value = dense<1.0e-05> : tensor<f32>} : () -> tensor<f32>
  %sum = "ipu.reduce_sum"(%x) {axes = array<i64: 1>, keep = true} : (tensor<4x16xf32>) -> tensor<4x1xf32>
  %mean = "ipu.multiply"(%sum, %n) : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
  %c = "ipu.subtract"(%x, %mean) : (tensor<4x16xf32>, tensor<4x1xf32>) -> tensor<4x16xf32>
  %square = "ipu.multiply"(%c, %x) : (tensor<4x16xf32>, tensor<4x16xf32>) -> tensor<4x16xf32>
  %spread = "ipu.reduce_sum"(%square) {axes = array<i64: 1>, keep = true} : (tensor<4x16xf32>) -> tensor<4x1xf32>
  %variance = "ipu.multiply"(%spread, %n) : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
  %shifted = "ipu.add"(%variance, %eps) : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
  %deviation = "ipu.sqrt"(%shifted) : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %inverse = "ipu.reciprocal"(%deviation) : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %r = "ipu.multiply"(%c, %inverse) : (tensor<4x16xf32>, tensor<4x1xf32>) -> tensor<4x16xf32>
  return %r : tensor<4x16xf32>
}

// -----

// Ten elements do not fill vectors.
// CHECK-LABEL: @ten_elements
// CHECK-NOT: ipu.standardize
// CHECK: return
// REMARK: remark: ipu-standardize: stays apart: over dimensions [1] of tensor<4x10xf32> there are no loops over vectors
func.func @ten_elements(%x: tensor<4x10xf32>) -> tensor<4x10xf32> {
  %n = "ipu.constant"() {value = dense<0.1> : tensor<f32>} : () -> tensor<f32>
  %eps = "ipu.constant"() {value = dense<1.0e-05> : tensor<f32>} : () -> tensor<f32>
  %sum = "ipu.reduce_sum"(%x) {axes = array<i64: 1>, keep = true} : (tensor<4x10xf32>) -> tensor<4x1xf32>
  %mean = "ipu.multiply"(%sum, %n) : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
  %c = "ipu.subtract"(%x, %mean) : (tensor<4x10xf32>, tensor<4x1xf32>) -> tensor<4x10xf32>
  %square = "ipu.multiply"(%c, %c) : (tensor<4x10xf32>, tensor<4x10xf32>) -> tensor<4x10xf32>
  %spread = "ipu.reduce_sum"(%square) {axes = array<i64: 1>, keep = true} : (tensor<4x10xf32>) -> tensor<4x1xf32>
  %variance = "ipu.multiply"(%spread, %n) : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
  %shifted = "ipu.add"(%variance, %eps) : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
  %deviation = "ipu.sqrt"(%shifted) : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %inverse = "ipu.reciprocal"(%deviation) : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %r = "ipu.multiply"(%c, %inverse) : (tensor<4x10xf32>, tensor<4x1xf32>) -> tensor<4x10xf32>
  return %r : tensor<4x10xf32>
}

// -----

// Columns are not side by side.
// CHECK-LABEL: @columns
// CHECK-NOT: ipu.standardize
// CHECK: return
// REMARK: remark: ipu-standardize: stays apart: over dimensions [0] of tensor<4x16xf32> there are no loops over vectors
func.func @columns(%x: tensor<4x16xf32>) -> tensor<4x16xf32> {
  %n = "ipu.constant"() {value = dense<0.25> : tensor<f32>} : () -> tensor<f32>
  %eps = "ipu.constant"() {value = dense<1.0e-05> : tensor<f32>} : () -> tensor<f32>
  %sum = "ipu.reduce_sum"(%x) {axes = array<i64: 0>, keep = true} : (tensor<4x16xf32>) -> tensor<1x16xf32>
  %mean = "ipu.multiply"(%sum, %n) : (tensor<1x16xf32>, tensor<f32>) -> tensor<1x16xf32>
  %c = "ipu.subtract"(%x, %mean) : (tensor<4x16xf32>, tensor<1x16xf32>) -> tensor<4x16xf32>
  %square = "ipu.multiply"(%c, %c) : (tensor<4x16xf32>, tensor<4x16xf32>) -> tensor<4x16xf32>
  %spread = "ipu.reduce_sum"(%square) {axes = array<i64: 0>, keep = true} : (tensor<4x16xf32>) -> tensor<1x16xf32>
  %variance = "ipu.multiply"(%spread, %n) : (tensor<1x16xf32>, tensor<f32>) -> tensor<1x16xf32>
  %shifted = "ipu.add"(%variance, %eps) : (tensor<1x16xf32>, tensor<f32>) -> tensor<1x16xf32>
  %deviation = "ipu.sqrt"(%shifted) : (tensor<1x16xf32>) -> tensor<1x16xf32>
  %inverse = "ipu.reciprocal"(%deviation) : (tensor<1x16xf32>) -> tensor<1x16xf32>
  %r = "ipu.multiply"(%c, %inverse) : (tensor<4x16xf32>, tensor<1x16xf32>) -> tensor<4x16xf32>
  return %r : tensor<4x16xf32>
}

// -----

// What does not suit vectors is written out.
// CHECK-LABEL: @written_out
// CHECK: %[[S:.*]] = "ipu.reduce_sum"(%arg0) {axes = array<i64: 0>, keep = true}
// CHECK: %[[M:.*]] = "ipu.multiply"(%[[S]]
// CHECK: %[[C:.*]] = "ipu.subtract"(%arg0, %[[M]])
// CHECK: %[[I:.*]] = "ipu.reciprocal"
// CHECK: "ipu.multiply"(%[[C]], %[[I]])
func.func @written_out(%x: tensor<4x16xf32>) -> tensor<4x16xf32> {
  %r = "ipu.standardize"(%x) {axes = array<i64: 0>, epsilon = 1.0e-5 : f64} : (tensor<4x16xf32>) -> tensor<4x16xf32>
  return %r : tensor<4x16xf32>
}
