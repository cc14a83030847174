;; Declares the path, or in every second instance the query.
(module
  (import "wedge" "need" (func $need (param i32 i32 i32 i32) (result i32)))
  (import "wedge" "counter_add" (func $counter_add (param i32 i64) (result i64)))
  (func (export "wedge_abi_v1"))
  (memory (export "memory") 4)
  (func (export "wedge_frame") (param i32) (result i32) i32.const 0x10000)
  (func (export "wedge_configure") (param i32) (result i32)
    (drop (call $need
      (i32.add (i32.const 5) (i32.and (i32.const 1) (i32.wrap_i64 (call $counter_add (i32.const 0) (i64.const 1)))))
      (i32.const 0) (i32.const 0) (i32.const 0)))
    i32.const 0)
  (func (export "wedge_backends") (param i32) (result i32) i32.const 0)
  (func (export "wedge_pick") (param i32) (result i64) i64.const 0)
)
