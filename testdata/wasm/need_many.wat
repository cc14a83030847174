;; Declares a hundred attributes.
(module
  (import "wedge" "need" (func $need (param i32 i32 i32 i32) (result i32)))
  (func (export "wedge_abi_v1"))
  (memory (export "memory") 4)
  (func (export "wedge_frame") (param i32) (result i32) i32.const 0x10000)
  (func (export "wedge_configure") (param i32) (result i32)
    (local $n i32)
    (loop $again
      (drop (call $need (i32.const 5) (i32.const 0) (i32.const 0) (i32.const 0)))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $n) (i32.const 100))))
    i32.const 0)
  (func (export "wedge_backends") (param i32) (result i32) i32.const 0)
  (func (export "wedge_pick") (param i32) (result i64) i64.const 0)
)
