// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-attention | filecheck %s
// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-attention --remarks 2>&1 | filecheck %s --check-prefix=REMARK
// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-attention{lanes=0} | filecheck %s --check-prefix=NONE
// NONE-NOT: ipu.attention

// Products, a softmax and products again are one op.
// CHECK-LABEL: @plain
// CHECK: %[[A:.*]] = "ipu.attention"(%arg0, %arg1, %arg2) {{.*}}scale = 1.000000e+00
// CHECK-NEXT: return %[[A]]
// REMARK: remark: ipu-attention: runs with its products, as attention
func.func @plain(%q: tensor<1x16x2x8xf32>, %k: tensor<1x16x2x8xf32>, %v: tensor<1x16x2x8xf32>) -> tensor<1x16x2x8xf32> {
  %s = "ipu.einsum"(%q, %k) {equation = "nlhd,nshd->nhls"} : (tensor<1x16x2x8xf32>, tensor<1x16x2x8xf32>) -> tensor<1x2x16x16xf32>
  %p = "ipu.softmax"(%s) {axis = 3 : i64} : (tensor<1x2x16x16xf32>) -> tensor<1x2x16x16xf32>
  %r = "ipu.einsum"(%p, %v) {equation = "nhls,nshd->nlhd"} : (tensor<1x2x16x16xf32>, tensor<1x16x2x8xf32>) -> tensor<1x16x2x8xf32>
  return %r : tensor<1x16x2x8xf32>
}

// -----

// A scale becomes an attribute, and a mask behind it an operand.
// CHECK-LABEL: @scaled_masked
// CHECK: "ipu.attention"(%arg0, %arg1, %arg2, %arg3) {{.*}}scale = 5.000000e-01
func.func @scaled_masked(%q: tensor<1x16x2x8xf32>, %k: tensor<1x16x2x8xf32>, %v: tensor<1x16x2x8xf32>, %m: tensor<1x1x1x16xf32>) -> tensor<1x16x2x8xf32> {
  %s = "ipu.einsum"(%q, %k) {equation = "nlhd,nshd->nhls"} : (tensor<1x16x2x8xf32>, tensor<1x16x2x8xf32>) -> tensor<1x2x16x16xf32>
  %c = "ipu.constant"() {value = dense<0.5> : tensor<f32>} : () -> tensor<f32>
  %t = "ipu.multiply"(%s, %c) : (tensor<1x2x16x16xf32>, tensor<f32>) -> tensor<1x2x16x16xf32>
  %u = "ipu.add"(%t, %m) : (tensor<1x2x16x16xf32>, tensor<1x1x1x16xf32>) -> tensor<1x2x16x16xf32>
  %p = "ipu.softmax"(%u) {axis = 3 : i64} : (tensor<1x2x16x16xf32>) -> tensor<1x2x16x16xf32>
  %r = "ipu.einsum"(%p, %v) {equation = "nhls,nshd->nlhd"} : (tensor<1x2x16x16xf32>, tensor<1x16x2x8xf32>) -> tensor<1x16x2x8xf32>
  return %r : tensor<1x16x2x8xf32>
}

// -----

// A scale behind the mask is the mask's, too.
// CHECK-LABEL: @masked_scaled
// CHECK: %[[M:.*]] = "ipu.multiply"(%arg3, {{.*}}) {{.*}} -> tensor<1x1x1x16xf32>
// CHECK: "ipu.attention"(%arg0, %arg1, %arg2, %[[M]]) {{.*}}scale = 5.000000e-01
func.func @masked_scaled(%q: tensor<1x16x2x8xf32>, %k: tensor<1x16x2x8xf32>, %v: tensor<1x16x2x8xf32>, %m: tensor<1x1x1x16xf32>) -> tensor<1x16x2x8xf32> {
  %s = "ipu.einsum"(%q, %k) {equation = "nlhd,nshd->nhls"} : (tensor<1x16x2x8xf32>, tensor<1x16x2x8xf32>) -> tensor<1x2x16x16xf32>
  %t = "ipu.add"(%s, %m) : (tensor<1x2x16x16xf32>, tensor<1x1x1x16xf32>) -> tensor<1x2x16x16xf32>
  %c = "ipu.constant"() {value = dense<0.5> : tensor<f32>} : () -> tensor<f32>
  %u = "ipu.multiply"(%t, %c) : (tensor<1x2x16x16xf32>, tensor<f32>) -> tensor<1x2x16x16xf32>
  %p = "ipu.softmax"(%u) {axis = 3 : i64} : (tensor<1x2x16x16xf32>) -> tensor<1x2x16x16xf32>
  %r = "ipu.einsum"(%p, %v) {equation = "nhls,nshd->nlhd"} : (tensor<1x2x16x16xf32>, tensor<1x16x2x8xf32>) -> tensor<1x16x2x8xf32>
  return %r : tensor<1x16x2x8xf32>
}

// -----

// The mask may be the left operand, and have fewer dimensions.
// CHECK-LABEL: @mask_on_the_left
// CHECK: %[[M:.*]] = "ipu.reshape"(%arg3) {shape = array<i64: 1, 1, 16, 16>}
// CHECK: "ipu.attention"(%arg0, %arg1, %arg2, %[[M]])
func.func @mask_on_the_left(%q: tensor<1x16x2x8xf32>, %k: tensor<1x16x2x8xf32>, %v: tensor<1x16x2x8xf32>, %m: tensor<16x16xf32>) -> tensor<1x16x2x8xf32> {
  %s = "ipu.einsum"(%q, %k) {equation = "nlhd,nshd->nhls"} : (tensor<1x16x2x8xf32>, tensor<1x16x2x8xf32>) -> tensor<1x2x16x16xf32>
  %t = "ipu.add"(%m, %s) : (tensor<16x16xf32>, tensor<1x2x16x16xf32>) -> tensor<1x2x16x16xf32>
  %p = "ipu.softmax"(%t) {axis = 3 : i64} : (tensor<1x2x16x16xf32>) -> tensor<1x2x16x16xf32>
  %r = "ipu.einsum"(%p, %v) {equation = "nhls,nshd->nlhd"} : (tensor<1x2x16x16xf32>, tensor<1x16x2x8xf32>) -> tensor<1x16x2x8xf32>
  return %r : tensor<1x16x2x8xf32>
}

// -----

// Keys that come transposed, products that are spelled the other way round, and heads in front of the rows.
// CHECK-LABEL: @other_orders
// CHECK: %[[K:.*]] = "ipu.transpose"(%arg1) {permutation = array<i64: 0, 3, 1, 2>}
// CHECK: "ipu.attention"(%arg0, %[[K]], %arg2)
func.func @other_orders(%q: tensor<1x16x2x8xf32>, %k: tensor<1x2x8x16xf32>, %v: tensor<1x16x2x8xf32>) -> tensor<1x16x2x8xf32> {
  %s = "ipu.einsum"(%k, %q) {equation = "nhds,nlhd->nhls"} : (tensor<1x2x8x16xf32>, tensor<1x16x2x8xf32>) -> tensor<1x2x16x16xf32>
  %p = "ipu.softmax"(%s) {axis = 3 : i64} : (tensor<1x2x16x16xf32>) -> tensor<1x2x16x16xf32>
  %r = "ipu.einsum"(%v, %p) {equation = "nshd,nhls->nlhd"} : (tensor<1x16x2x8xf32>, tensor<1x2x16x16xf32>) -> tensor<1x16x2x8xf32>
  return %r : tensor<1x16x2x8xf32>
}

// -----

// Matrix products, one for each head.
// CHECK-LABEL: @matmuls
// CHECK: %[[Q:.*]] = "ipu.reshape"(%arg0) {shape = array<i64: 2, 16, 1, 8>}
// CHECK: %[[A:.*]] = "ipu.attention"(%[[Q]], {{.*}}) {{.*}} -> tensor<2x16x1x8xf32>
// CHECK: "ipu.reshape"(%[[A]]) {shape = array<i64: 2, 16, 8>}
func.func @matmuls(%q: tensor<2x16x8xf32>, %k: tensor<2x8x16xf32>, %v: tensor<2x16x8xf32>) -> tensor<2x16x8xf32> {
  %s = "ipu.matmul"(%q, %k) : (tensor<2x16x8xf32>, tensor<2x8x16xf32>) -> tensor<2x16x16xf32>
  %p = "ipu.softmax"(%s) {axis = 2 : i64} : (tensor<2x16x16xf32>) -> tensor<2x16x16xf32>
  %r = "ipu.matmul"(%p, %v) : (tensor<2x16x16xf32>, tensor<2x16x8xf32>) -> tensor<2x16x8xf32>
  return %r : tensor<2x16x8xf32>
}

// -----

// What else reads the weights needs them.
// CHECK-LABEL: @weights_are_read
// CHECK-NOT: ipu.attention
// REMARK: remark: ipu-attention: is read by something else than one product with values
func.func @weights_are_read(%q: tensor<1x16x2x8xf32>, %k: tensor<1x16x2x8xf32>, %v: tensor<1x16x2x8xf32>) -> tensor<1x2x16x16xf32> {
  %s = "ipu.einsum"(%q, %k) {equation = "nlhd,nshd->nhls"} : (tensor<1x16x2x8xf32>, tensor<1x16x2x8xf32>) -> tensor<1x2x16x16xf32>
  %p = "ipu.softmax"(%s) {axis = 3 : i64} : (tensor<1x2x16x16xf32>) -> tensor<1x2x16x16xf32>
  %r = "ipu.einsum"(%p, %v) {equation = "nhls,nshd->nlhd"} : (tensor<1x2x16x16xf32>, tensor<1x16x2x8xf32>) -> tensor<1x16x2x8xf32>
  return %p : tensor<1x2x16x16xf32>
}

// -----

// What else reads the scores needs them.
// CHECK-LABEL: @scores_are_read
// CHECK-NOT: ipu.attention
// REMARK: remark: ipu-attention: reads no scaled and masked products that nothing else reads
func.func @scores_are_read(%q: tensor<1x16x2x8xf32>, %k: tensor<1x16x2x8xf32>, %v: tensor<1x16x2x8xf32>) -> tensor<1x2x16x16xf32> {
  %s = "ipu.einsum"(%q, %k) {equation = "nlhd,nshd->nhls"} : (tensor<1x16x2x8xf32>, tensor<1x16x2x8xf32>) -> tensor<1x2x16x16xf32>
  %p = "ipu.softmax"(%s) {axis = 3 : i64} : (tensor<1x2x16x16xf32>) -> tensor<1x2x16x16xf32>
  %r = "ipu.einsum"(%p, %v) {equation = "nhls,nshd->nlhd"} : (tensor<1x2x16x16xf32>, tensor<1x16x2x8xf32>) -> tensor<1x16x2x8xf32>
  %t = "ipu.add"(%s, %p) : (tensor<1x2x16x16xf32>, tensor<1x2x16x16xf32>) -> tensor<1x2x16x16xf32>
  return %t : tensor<1x2x16x16xf32>
}

// -----

// A softmax of something else.
// CHECK-LABEL: @no_scores
// CHECK-NOT: ipu.attention
// REMARK: remark: ipu-attention: reads no scaled and masked products that nothing else reads
func.func @no_scores(%s: tensor<1x2x16x16xf32>, %v: tensor<1x16x2x8xf32>) -> tensor<1x16x2x8xf32> {
  %p = "ipu.softmax"(%s) {axis = 3 : i64} : (tensor<1x2x16x16xf32>) -> tensor<1x2x16x16xf32>
  %r = "ipu.einsum"(%p, %v) {equation = "nhls,nshd->nlhd"} : (tensor<1x2x16x16xf32>, tensor<1x16x2x8xf32>) -> tensor<1x16x2x8xf32>
  return %r : tensor<1x16x2x8xf32>
}

// -----

// A softmax over the queries.
// CHECK-LABEL: @over_queries
// CHECK-NOT: ipu.attention
// REMARK: remark: ipu-attention: belongs to contractions of another form than query
func.func @over_queries(%q: tensor<1x16x2x8xf32>, %k: tensor<1x16x2x8xf32>, %v: tensor<1x16x2x8xf32>) -> tensor<1x16x2x8xf32> {
  %s = "ipu.einsum"(%q, %k) {equation = "nlhd,nshd->nhls"} : (tensor<1x16x2x8xf32>, tensor<1x16x2x8xf32>) -> tensor<1x2x16x16xf32>
  %p = "ipu.softmax"(%s) {axis = 2 : i64} : (tensor<1x2x16x16xf32>) -> tensor<1x2x16x16xf32>
  %r = "ipu.einsum"(%p, %v) {equation = "nhls,nshd->nlhd"} : (tensor<1x2x16x16xf32>, tensor<1x16x2x8xf32>) -> tensor<1x16x2x8xf32>
  return %r : tensor<1x16x2x8xf32>
}

// -----

// A mask that only some heads share would have to be copied.
// CHECK-LABEL: @shared_mask
// CHECK-NOT: ipu.attention
// REMARK: remark: ipu-attention: has a mask that is repeated for some heads alone
func.func @shared_mask(%q: tensor<2x3x16x8xf32>, %k: tensor<2x3x8x16xf32>, %v: tensor<2x3x16x8xf32>, %m: tensor<2x1x1x16xf32>) -> tensor<2x3x16x8xf32> {
  %s = "ipu.matmul"(%q, %k) : (tensor<2x3x16x8xf32>, tensor<2x3x8x16xf32>) -> tensor<2x3x16x16xf32>
  %t = "ipu.add"(%s, %m) : (tensor<2x3x16x16xf32>, tensor<2x1x1x16xf32>) -> tensor<2x3x16x16xf32>
  %p = "ipu.softmax"(%t) {axis = 3 : i64} : (tensor<2x3x16x16xf32>) -> tensor<2x3x16x16xf32>
  %r = "ipu.matmul"(%p, %v) : (tensor<2x3x16x16xf32>, tensor<2x3x16x8xf32>) -> tensor<2x3x16x8xf32>
  return %r : tensor<2x3x16x8xf32>
}

// -----

// Few queries would leave most of a vector empty.
// CHECK-LABEL: @few_queries
// CHECK-NOT: ipu.attention
// REMARK: remark: ipu-attention: has only 2 queries for vectors of 8, so its products stay apart
func.func @few_queries(%q: tensor<2x2x8xf32>, %k: tensor<2x8x16xf32>, %v: tensor<2x16x8xf32>) -> tensor<2x2x8xf32> {
  %s = "ipu.matmul"(%q, %k) : (tensor<2x2x8xf32>, tensor<2x8x16xf32>) -> tensor<2x2x16xf32>
  %p = "ipu.softmax"(%s) {axis = 2 : i64} : (tensor<2x2x16xf32>) -> tensor<2x2x16xf32>
  %r = "ipu.matmul"(%p, %v) : (tensor<2x2x16xf32>, tensor<2x16x8xf32>) -> tensor<2x2x8xf32>
  return %r : tensor<2x2x8xf32>
}

// -----

// Keys of three elements fill no vector.
// CHECK-LABEL: @narrow_keys
// CHECK-NOT: ipu.attention
// REMARK: remark: ipu-attention: has keys of 3 and values of 8 elements, which do not suit vectors
func.func @narrow_keys(%q: tensor<2x16x3xf32>, %k: tensor<2x3x16xf32>, %v: tensor<2x16x8xf32>) -> tensor<2x16x8xf32> {
  %s = "ipu.matmul"(%q, %k) : (tensor<2x16x3xf32>, tensor<2x3x16xf32>) -> tensor<2x16x16xf32>
  %p = "ipu.softmax"(%s) {axis = 2 : i64} : (tensor<2x16x16xf32>) -> tensor<2x16x16xf32>
  %r = "ipu.matmul"(%p, %v) : (tensor<2x16x16xf32>, tensor<2x16x8xf32>) -> tensor<2x16x8xf32>
  return %r : tensor<2x16x8xf32>
}

// -----

// Without vectors, or where its keys do not fill them, attention is written out.
// CHECK-LABEL: @written_out
// CHECK: %[[S:.*]] = "ipu.einsum"(%arg0, %arg1) {equation = "nlhd,nshd->nhls"}
// CHECK: %[[T:.*]] = "ipu.multiply"(%[[S]], {{.*}})
// CHECK: %[[M:.*]] = "ipu.add"(%[[T]], %arg2)
// CHECK: %[[P:.*]] = "ipu.softmax"(%[[M]]) {axis = 3 : i64}
// CHECK: %[[R:.*]] = "ipu.einsum"(%[[P]], %arg1) {equation = "nhls,nshe->nlhe"}
// CHECK-NEXT: return %[[R]]
func.func @written_out(%q: tensor<1x16x2x3xf32>, %k: tensor<1x16x2x3xf32>, %m: tensor<1x1x1x16xf32>) -> tensor<1x16x2x3xf32> {
  %r = "ipu.attention"(%q, %k, %k, %m) {scale = 0.5 : f64} : (tensor<1x16x2x3xf32>, tensor<1x16x2x3xf32>, tensor<1x16x2x3xf32>, tensor<1x1x1x16xf32>) -> tensor<1x16x2x3xf32>
  return %r : tensor<1x16x2x3xf32>
}

// -----

// Scores that are put out of sight have a mask of zeros and what is put in their place.
// CHECK-LABEL: @hidden_scores
// CHECK: %[[M:.*]] = "ipu.where"(%arg3, %{{.*}}, %{{.*}}) : (tensor<1x1x16x16xi1>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x16x16xf32>
// CHECK: "ipu.attention"(%arg0, %arg1, %arg2, %[[M]])
func.func @hidden_scores(%q: tensor<1x16x2x8xf32>, %k: tensor<1x16x2x8xf32>, %v: tensor<1x16x2x8xf32>, %c: tensor<1x1x16x16xi1>) -> tensor<1x16x2x8xf32> {
  %s = "ipu.einsum"(%q, %k) {equation = "nlhd,nshd->nhls"} : (tensor<1x16x2x8xf32>, tensor<1x16x2x8xf32>) -> tensor<1x2x16x16xf32>
  %low = "ipu.constant"() {value = dense<-1.0e+30> : tensor<f32>} : () -> tensor<f32>
  %t = "ipu.where"(%c, %s, %low) : (tensor<1x1x16x16xi1>, tensor<1x2x16x16xf32>, tensor<f32>) -> tensor<1x2x16x16xf32>
  %p = "ipu.softmax"(%t) {axis = 3 : i64} : (tensor<1x2x16x16xf32>) -> tensor<1x2x16x16xf32>
  %r = "ipu.einsum"(%p, %v) {equation = "nhls,nshd->nlhd"} : (tensor<1x2x16x16xf32>, tensor<1x16x2x8xf32>) -> tensor<1x16x2x8xf32>
  return %r : tensor<1x16x2x8xf32>
}

// -----

// A number that is no smaller than scores may be would keep some weight.
// CHECK-LABEL: @not_hidden
// CHECK-NOT: ipu.attention
// REMARK: remark: ipu-attention: reads no scaled and masked products that nothing else reads
func.func @not_hidden(%q: tensor<1x16x2x8xf32>, %k: tensor<1x16x2x8xf32>, %v: tensor<1x16x2x8xf32>, %c: tensor<1x1x16x16xi1>) -> tensor<1x16x2x8xf32> {
  %s = "ipu.einsum"(%q, %k) {equation = "nlhd,nshd->nhls"} : (tensor<1x16x2x8xf32>, tensor<1x16x2x8xf32>) -> tensor<1x2x16x16xf32>
  %low = "ipu.constant"() {value = dense<-1.0e+01> : tensor<f32>} : () -> tensor<f32>
  %t = "ipu.where"(%c, %s, %low) : (tensor<1x1x16x16xi1>, tensor<1x2x16x16xf32>, tensor<f32>) -> tensor<1x2x16x16xf32>
  %p = "ipu.softmax"(%t) {axis = 3 : i64} : (tensor<1x2x16x16xf32>) -> tensor<1x2x16x16xf32>
  %r = "ipu.einsum"(%p, %v) {equation = "nhls,nshd->nlhd"} : (tensor<1x2x16x16xf32>, tensor<1x16x2x8xf32>) -> tensor<1x16x2x8xf32>
  return %r : tensor<1x16x2x8xf32>
}

// -----

// Two masks are added up before, and scales of the operands are the op's.
// CHECK-LABEL: @two_masks
// CHECK: %[[M:.*]] = "ipu.add"(%arg4, %arg3) : (tensor<1x2x1x16xf32>, tensor<1x1x1x16xf32>) -> tensor<1x2x1x16xf32>
// CHECK: "ipu.attention"(%arg0, %arg1, %arg2, %[[M]]) {{.*}}scale = 5.000000e-01
func.func @two_masks(%q: tensor<1x16x2x8xf32>, %k: tensor<1x16x2x8xf32>, %v: tensor<1x16x2x8xf32>, %m: tensor<1x1x1x16xf32>, %n: tensor<1x2x1x16xf32>) -> tensor<1x16x2x8xf32> {
  %c = "ipu.constant"() {value = dense<0.5> : tensor<f32>} : () -> tensor<f32>
  %h = "ipu.multiply"(%q, %c) : (tensor<1x16x2x8xf32>, tensor<f32>) -> tensor<1x16x2x8xf32>
  %s = "ipu.einsum"(%h, %k) {equation = "nlhd,nshd->nhls"} : (tensor<1x16x2x8xf32>, tensor<1x16x2x8xf32>) -> tensor<1x2x16x16xf32>
  %t = "ipu.add"(%s, %m) : (tensor<1x2x16x16xf32>, tensor<1x1x1x16xf32>) -> tensor<1x2x16x16xf32>
  %u = "ipu.add"(%t, %n) : (tensor<1x2x16x16xf32>, tensor<1x2x1x16xf32>) -> tensor<1x2x16x16xf32>
  %p = "ipu.softmax"(%u) {axis = 3 : i64} : (tensor<1x2x16x16xf32>) -> tensor<1x2x16x16xf32>
  %r = "ipu.einsum"(%p, %v) {equation = "nhls,nshd->nlhd"} : (tensor<1x2x16x16xf32>, tensor<1x16x2x8xf32>) -> tensor<1x16x2x8xf32>
  return %r : tensor<1x16x2x8xf32>
}

// -----

// A mask that repeats the products is none.
// CHECK-LABEL: @repeated_products
// CHECK-NOT: ipu.attention
// REMARK: remark: ipu-attention: reads no scaled and masked products that nothing else reads
func.func @repeated_products(%q: tensor<1x16x2x8xf32>, %k: tensor<1x16x2x8xf32>, %v: tensor<3x16x2x8xf32>, %m: tensor<3x1x1x16xf32>) -> tensor<3x16x2x8xf32> {
  %s = "ipu.einsum"(%q, %k) {equation = "nlhd,nshd->nhls"} : (tensor<1x16x2x8xf32>, tensor<1x16x2x8xf32>) -> tensor<1x2x16x16xf32>
  %t = "ipu.add"(%s, %m) : (tensor<1x2x16x16xf32>, tensor<3x1x1x16xf32>) -> tensor<3x2x16x16xf32>
  %p = "ipu.softmax"(%t) {axis = 3 : i64} : (tensor<3x2x16x16xf32>) -> tensor<3x2x16x16xf32>
  %r = "ipu.einsum"(%p, %v) {equation = "nhls,nshd->nlhd"} : (tensor<3x2x16x16xf32>, tensor<3x16x2x8xf32>) -> tensor<3x16x2x8xf32>
  return %r : tensor<3x16x2x8xf32>
}

// -----

// Queries without weights have zeros for a result.
// CHECK-LABEL: @hidden_queries
// CHECK: %[[A:.*]] = "ipu.attention"
// CHECK: %[[C:.*]] = "ipu.reshape"({{.*}}) {shape = array<i64: 1, 16, 1, 1>}
// CHECK: "ipu.where"(%[[C]], %{{.*}}, %[[A]])
func.func @hidden_queries(%q: tensor<1x16x2x8xf32>, %k: tensor<1x16x2x8xf32>, %v: tensor<1x16x2x8xf32>, %c: tensor<16x1xi1>) -> tensor<1x16x2x8xf32> {
  %s = "ipu.einsum"(%q, %k) {equation = "nlhd,nshd->nhls"} : (tensor<1x16x2x8xf32>, tensor<1x16x2x8xf32>) -> tensor<1x2x16x16xf32>
  %p = "ipu.softmax"(%s) {axis = 3 : i64} : (tensor<1x2x16x16xf32>) -> tensor<1x2x16x16xf32>
  %zero = "ipu.constant"() {value = dense<0.0> : tensor<f32>} : () -> tensor<f32>
  %w = "ipu.where"(%c, %zero, %p) : (tensor<16x1xi1>, tensor<f32>, tensor<1x2x16x16xf32>) -> tensor<1x2x16x16xf32>
  %r = "ipu.einsum"(%w, %v) {equation = "nhls,nshd->nlhd"} : (tensor<1x2x16x16xf32>, tensor<1x16x2x8xf32>) -> tensor<1x16x2x8xf32>
  return %r : tensor<1x16x2x8xf32>
}
